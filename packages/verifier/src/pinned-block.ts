import { bytesToHex } from '@noble/hashes/utils.js';
import { readHeader, type VerifiedHeader } from './block-header.ts';
import { equalBytes, readNumber } from './bytes.ts';
import type { ChainNode } from './chain-node.ts';
import type { Step } from './report.ts';

export type AgreedBlock = { readonly header: VerifiedHeader; readonly steps: readonly Step[] };
export type NoBlock = { readonly header: undefined; readonly steps: readonly Step[] };

/**
 * A block that every node has, as final where the first one says what is final. Hashes are worked out from the headers, so a node
 * that lies about a state must have made up a whole block, and another node that does not have it shows that.
 */
export async function agreeOnBlock(nodes: readonly ChainNode[], chain: bigint): Promise<AgreedBlock | NoBlock> {
  const [first] = nodes;
  if (first === undefined) return none({ step: 'nodes', result: 'unknown', reason: 'No node of the chain was given.' });
  for (const node of nodes) {
    const served = readNumber(await asked(node, 'eth_chainId', []));
    if (served === chain) continue;
    const reason = served === undefined ? `${node.name} does not answer.` : `${node.name} serves chain ${served}.`;
    return none({ step: 'nodes', result: served === undefined ? 'unknown' : 'fails', reason });
  }
  const header = readHeader(await asked(first, 'eth_getBlockByNumber', ['finalized', false]));
  if (header === undefined) {
    return none({
      step: 'block',
      result: 'fails',
      reason: `${first.name} shows no final block whose hash is that of its header.`,
    });
  }
  for (const other of nodes.slice(1)) {
    const same = readHeader(await asked(other, 'eth_getBlockByNumber', [`0x${header.height.toString(16)}`, false]));
    if (same !== undefined && equalBytes(same.hash, header.hash)) continue;
    const reason = `${other.name} has no block ${header.height} with the hash that ${first.name} shows: one of them lies, or lags.`;
    return none({ step: 'block', result: 'fails', reason });
  }
  const alone = nodes.length === 1;
  return {
    header,
    steps: [
      {
        step: 'nodes',
        result: alone ? 'unknown' : 'holds',
        reason: alone
          ? `Only ${first.name} was asked. If it makes blocks up, this page believes it: give a second node of somebody else.`
          : `${nodes.length} nodes were asked and agree.`,
      },
      {
        step: 'block',
        result: 'holds',
        reason: `Final block ${header.height} of ${timeText(header.time)}, hash 0x${bytesToHex(header.hash)}. What follows is as of then.`,
      },
    ],
  };
}

/** Any 64 bits may be a time; what no calendar has is shown as seconds. */
function timeText(seconds: bigint): string {
  return seconds < 253_402_300_800n ? new Date(Number(seconds) * 1_000).toISOString() : `second ${seconds}`;
}

function none(step: Step): NoBlock {
  return { header: undefined, steps: [step] };
}

/** What a node answers, or undefined where it does not. */
export async function asked(node: ChainNode, method: string, params: readonly unknown[]): Promise<unknown> {
  try {
    return await node.ask(method, params);
  } catch {
    return undefined;
  }
}
