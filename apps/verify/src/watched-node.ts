import { type ChainNode, httpNode } from '@bulkhead/verifier';

/** Why a node gave no answer, in words for whoever named it. */
export type NodeTrouble = { readonly node: string; readonly reason: string };

/** Once a node, and once a reason: twenty calls that fail alike are one trouble. */
export type TroubleBook = { note(trouble: NodeTrouble): void; all(): readonly NodeTrouble[] };

export function troubleBook(): TroubleBook {
  const noted = new Map<string, NodeTrouble>();
  return {
    note: (trouble) => noted.set(`${trouble.node} ${trouble.reason}`, trouble),
    all: () => [...noted.values()],
  };
}

/** A node behind an address, whose failures are looked into and noted: a check alone sees only that there was no answer. */
export function watchedNode(url: string, book: TroubleBook): ChainNode {
  const node = httpNode(url);
  return {
    name: node.name,
    ask: async (method, params) => {
      try {
        return await node.ask(method, params);
      } catch (error) {
        book.note({ node: node.name, reason: await reasonOf(error, { url, method }) });
        throw error;
      }
    },
  };
}

async function reasonOf(error: unknown, at: { readonly url: string; readonly method: string }): Promise<string> {
  const name = error instanceof Error ? error.name : '';
  if (name === 'TimeoutError') return `It did not answer ${at.method} in time. Try again, or name another node.`;
  if (name === 'SyntaxError') return 'What it answers is not what a node of a chain answers. Is the address right?';
  if (name !== 'TypeError') return error instanceof Error ? error.message : String(error);
  if (await isThere(at.url)) {
    return 'It is there, and does not let web pages ask it (CORS). Name a node that does, or allow it on a node of yours.';
  }
  return 'It cannot be reached. Look at the address for a slip, and whether this device is online.';
}

/** Browsers do not say why a call failed. One that asks for no answer gets through where only the permission is missing. */
async function isThere(url: string): Promise<boolean> {
  try {
    await fetch(url, { method: 'POST', mode: 'no-cors', body: '{}', signal: AbortSignal.timeout(thereWithinMs) });
    return true;
  } catch {
    return false;
  }
}

const thereWithinMs = 5_000;
