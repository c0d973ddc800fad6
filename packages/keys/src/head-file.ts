import { CustodyError } from '@bulkhead/domain';
import type { HeadStore, RememberedHead } from './driver.ts';
import { readPrivate, replaceWhole } from './whole-file.ts';

/** Bytes of a head file. One of today has about 120. */
export const headFileBytesMax: number = 1_024;

/** Ends the name of the file beside it that says who works with the state. */
export const claimFileSuffix: string = '.claim';

/**
 * Remembers the newest record of the log in a file. It finds an accident, such as a log restored from a backup without this file;
 * it does not stop somebody who can write both.
 */
export function openHeadFile(path: string): HeadStore {
  return {
    name: 'file',
    protects: false,
    read: async () => {
      const text = await readOrNothing(path);
      return text === undefined ? undefined : parseHead(text, path);
    },
    // A crash leaves the old head or the new one. The old one is an ancestor of the log's end, which the start accepts.
    write: (head) => replaceWhole(path, writeHead(head)),
    readClaim: async () => {
      const text = await readOrNothing(`${path}${claimFileSuffix}`);
      return text !== undefined && /^[0-9a-f]{32}\n$/u.test(text) ? text.trimEnd() : undefined;
    },
    writeClaim: (claim) => replaceWhole(`${path}${claimFileSuffix}`, `${claim}\n`),
  };
}

async function readOrNothing(path: string): Promise<string | undefined> {
  try {
    return await readPrivate(path, headFileBytesMax);
  } catch (error) {
    if (error instanceof CustodyError && error.code === 'key/missing-file') return undefined;
    throw error;
  }
}

function writeHead(head: RememberedHead): string {
  return `${JSON.stringify({ sequence: head.sequence.toString(), hash: head.hash })}\n`;
}

function parseHead(text: string, path: string): RememberedHead {
  const match = /^\{"sequence":"(0|[1-9][0-9]{0,18})","hash":"([0-9a-f]{64})"\}\n$/u.exec(text);
  const [, sequence, hash] = match ?? [];
  if (sequence === undefined || hash === undefined) {
    throw new CustodyError(
      'signer/state-damaged',
      `${path} does not hold the head of a log. Do not remove it to get on: without it a log that was set back is not noticed. Restore it, or recover the state with the root quorum.`,
    );
  }
  return { sequence: BigInt(sequence), hash };
}
