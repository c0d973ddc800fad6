import { bytesToHex } from '@noble/hashes/utils.js';
import { readHeader, type VerifiedHeader } from './block-header.ts';
import { equalBytes } from './bytes.ts';
import type { ChainNode } from './chain-node.ts';
import { fails, holds, type Step, unknown } from './report.ts';

export type AgreedBlock = { readonly header: VerifiedHeader; readonly steps: readonly Step[] };
export type NoBlock = { readonly header: undefined; readonly steps: readonly Step[] };

/** Seconds after which a block that is called final is old: nodes that stand still, or are kept from news, show such ones. */
const lagSecondsMax = 7_200n;

/**
 * A block that every node has, as final where the first one says what is final. Hashes are worked out from the headers, so a node
 * that lies about a state must have made up a whole block, and another node that does not have it shows that.
 *
 * @param nodes that serve one chain
 */
export async function agreeOnBlock(
  nodes: readonly ChainNode[],
  nowSeconds: bigint | undefined,
): Promise<AgreedBlock | NoBlock> {
  const [first] = nodes;
  if (first === undefined) return none(unknown('nodes', 'No node of the chain was given.'));
  const header = readHeader(await asked(first, 'eth_getBlockByNumber', ['finalized', false]));
  if (header === undefined) {
    return none(fails('block', `${first.name} shows no final block whose hash is that of its header.`));
  }
  for (const other of nodes.slice(1)) {
    const same = readHeader(await asked(other, 'eth_getBlockByNumber', [`0x${header.height.toString(16)}`, false]));
    if (same !== undefined && equalBytes(same.hash, header.hash)) continue;
    return none(
      fails(
        'block',
        `${other.name} has no block ${header.height} with the hash that ${first.name} shows: one of them lies, or lags.`,
      ),
    );
  }
  const found = holds(
    'block',
    `Final block ${header.height} of ${timeText(header.time)}, hash 0x${bytesToHex(header.hash)}. What follows is as of then.`,
  );
  return { header, steps: [nodesStep(nodes), found, ...ageSteps(header, nowSeconds)] };
}

/** Nodes behind one name are one party: two addresses of one provider tell the same story. */
function nodesStep(nodes: readonly ChainNode[]): Step {
  const hosts = new Set(nodes.map(({ name }) => name.replace(/:[0-9]+$/u, '')));
  const [only = ''] = hosts;
  if (hosts.size > 1) return holds('nodes', `${[...hosts].join(' and ')} were asked and agree.`);
  const named = nodes.length === 1 ? 'Only one node was asked' : 'Your nodes are all of one host and count as one';
  return unknown(
    'nodes',
    `${named}: ${only}. If it makes blocks up, what follows believes it. Give a second node of somebody else.`,
  );
}

function ageSteps({ time }: VerifiedHeader, nowSeconds: bigint | undefined): readonly Step[] {
  if (nowSeconds === undefined || nowSeconds - time <= lagSecondsMax) return [];
  return [
    fails(
      'age',
      `That block is ${nowSeconds - time} seconds old by your clock: the nodes lag, or show you an old state as the newest.`,
    ),
  ];
}

/** Any 64 bits may be a time; what no calendar has is shown as seconds. */
export function timeText(seconds: bigint): string {
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
