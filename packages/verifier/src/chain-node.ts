import { readAtMost } from '@bulkhead/domain';

/** A node of a chain, asked by JSON-RPC. */
export type ChainNode = {
  readonly name: string;
  /** The result of a call. Rejects where there is none. */
  ask(method: string, params: readonly unknown[]): Promise<unknown>;
};

/** Bytes of an answer that are read at most: a proof of an account and a few slots has some ten thousand. */
const answerBytesMax = 4_000_000;
const answerWithinMs = 20_000;

/** A node behind a URL. The same in Node and in a browser. */
export function httpNode(url: string): ChainNode {
  let calls = 0;
  return {
    name: new URL(url).host,
    ask: async (method, params) => {
      calls += 1;
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: calls, method, params }),
        signal: AbortSignal.timeout(answerWithinMs),
      });
      const said = await readAtMost(response.body, answerBytesMax);
      if (said === undefined) throw new Error(`The answer to ${method} is too long.`);
      const answer: unknown = JSON.parse(new TextDecoder().decode(said));
      if (typeof answer !== 'object' || answer === null || !('result' in answer)) {
        throw new Error(`The node refuses ${method}.`);
      }
      return answer.result;
    },
  };
}
