import { createHash } from 'node:crypto';
import { invariant } from '@bulkhead/domain';
import type { HeadStore, RememberedHead } from '../driver.ts';
import type { Token } from './token.ts';

/** Name of the data objects in the token; the two have `-a` and `-b` behind it. */
export const headLabel: string = 'bulkhead/head';

/** Ends the name of the object that says who works with the token. */
export const claimSuffix: string = '-claim';

const claimForm = /^[0-9a-f]{32}$/u;
const form = /^bulkhead-head-v1 (\d{1,20}) ([0-9a-f]{64}) ([0-9a-f]{16})$/u;

/**
 * The head of the signer's log in two private data objects of a token, written by turns. A write that is torn by a crash or by loss of
 * power spoils one of them, and its checksum shows it; the other still holds the head before, and a log that is ahead of its slot by
 * what one group wrote is rolled forward. So at no moment is there less than the head before the last.
 *
 * What is written counts once the token has answered. Whether that survives loss of power is up to the module: SoftHSM leaves it to
 * the file system, a hardware module keeps it in memory of its own.
 */
export function tokenHeadStore(token: Token, label: string = headLabel): HeadStore {
  const names = [`${label}-a`, `${label}-b`] as const;
  /** The object that holds the newest head, and must not be the one to be overwritten. */
  let newest: { readonly name: string; readonly sequence: bigint } | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  const read = async (): Promise<RememberedHead | undefined> => {
    let found: RememberedHead | undefined;
    const contents = await Promise.all(names.map((name) => token.readData(name)));
    for (const [index, name] of names.entries()) {
      const head = parseHead(contents[index]);
      if (head === undefined || (found !== undefined && head.sequence <= found.sequence)) continue;
      found = head;
      newest = { name, sequence: head.sequence };
    }
    return found;
  };
  const write = async (head: RememberedHead): Promise<void> => {
    invariant(/^[0-9a-f]{64}$/u.test(head.hash) && head.sequence >= 0n, 'A head that is not one was to be remembered.');
    if (newest === undefined) await read();
    const before = newest;
    const target = before?.name === names[0] ? names[1] : names[0];
    const bytes = Buffer.from(formatHead(head));
    await token.writeData(target, bytes);
    // The higher number is read back, so a recovery, which goes on from a lower one, replaces both. A crash in between leaves the head
    // that the recovery has forgiven.
    if (before !== undefined && head.sequence <= before.sequence) await token.writeData(before.name, bytes);
    newest = { name: target, sequence: head.sequence };
  };
  /** One after the other: two writes at once would take the same object. */
  const queued = async <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.catch(() => undefined);
    return await result;
  };
  return {
    name: token.label,
    protects: true,
    read: () => queued(read),
    write: (head) => queued(() => write(head)),
    readClaim: async () => {
      const text = Buffer.from((await token.readData(`${label}${claimSuffix}`)) ?? []).toString('latin1');
      return claimForm.test(text) ? text : undefined;
    },
    writeClaim: async (claim) => {
      invariant(claimForm.test(claim), 'A claim that is not one was to be remembered.');
      await token.writeData(`${label}${claimSuffix}`, Buffer.from(claim));
    },
  };
}

function formatHead({ sequence, hash }: RememberedHead): string {
  const text = `bulkhead-head-v1 ${sequence} ${hash}`;
  return `${text} ${checksum(text)}`;
}

function parseHead(bytes: Uint8Array | undefined): RememberedHead | undefined {
  const text = Buffer.from(bytes ?? []).toString('latin1');
  const [, sequence, hash, sum] = form.exec(text) ?? [];
  if (sequence === undefined || hash === undefined || sum === undefined) return undefined;
  return checksum(text.slice(0, -sum.length - 1)) === sum ? { sequence: BigInt(sequence), hash } : undefined;
}

/** Against accidents. Against people there is the login of the token. */
function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
