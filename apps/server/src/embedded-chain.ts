import { setTimeout as sleep } from 'node:timers/promises';
import { type Anvil, startAnvil } from '@bulkhead/chain-evm/anvil';
import { type DevelopmentNode, openDevelopmentNode } from '@bulkhead/chain-evm/testing';
import { type ChainId, chainNumber, CustodyError } from '@bulkhead/domain';

/** Pause between two looks at whether something waits to become final. */
export const finalizePollMs = 400;
/** Blocks above a transaction that make it final at this node. */
const finalityDepth = 2;

export type EmbeddedChainOptions = {
  readonly id: ChainId;
  /** Keeps the state. */
  readonly directory: string;
  readonly port: number;
  /** A block every so many seconds; 0: a block for each transaction, and those above it that make it final. */
  readonly blockTimeSeconds: number;
};

/**
 * Starts the development node of a chain in the folder that keeps its state. A node that mined for ever would fill the disk,
 * because its state holds a copy for each block; so it mines when something is sent, and then as many empty blocks as make that
 * final.
 *
 * @throws CustodyError what starting the node throws
 */
export async function startEmbeddedChain(options: EmbeddedChainOptions): Promise<Anvil> {
  const { id, directory, port, blockTimeSeconds } = options;
  const anvil = await startAnvil({
    directory,
    port,
    chainNumber: chainNumber(id),
    ...(blockTimeSeconds === 0 ? {} : { blockTimeSeconds }),
  });
  const node = openDevelopmentNode(anvil.url);
  try {
    // The node makes another genesis block at each start and may answer any of them; those above keep their hashes.
    if ((await blockAt(node, 'latest')).number === 0n) await node.mine(finalityDepth + 1);
  } catch (error) {
    await anvil.stop();
    throw error;
  }
  const stopping = new AbortController();
  const mining = blockTimeSeconds === 0 ? finalizeForEver(node, stopping.signal) : Promise.resolve();
  const stop = async (): Promise<void> => {
    stopping.abort();
    await mining;
    await anvil.stop();
  };
  return { ...anvil, stop, [Symbol.asyncDispose]: stop };
}

async function finalizeForEver(node: DevelopmentNode, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      if (await somethingWaits(node)) await node.mine();
      else await sleep(finalizePollMs, undefined, { signal });
    } catch (error) {
      // A node that does not answer is the followers' to report; here it only means that nothing can be mined now.
      if (!signal.aborted && !(error instanceof CustodyError)) throw error;
      if (!signal.aborted) await sleep(finalizePollMs);
    }
  }
}

/** Whether one of the newest blocks, which are not final yet, holds a transaction. Nothing waits while somebody mines by hand. */
async function somethingWaits(node: DevelopmentNode): Promise<boolean> {
  if ((await node.call('anvil_getAutomine')) !== true) return false;
  const head = await blockAt(node, 'latest');
  for (let height = head.number; height > head.number - BigInt(finalityDepth) && height > 0n; height -= 1n) {
    const block = height === head.number ? head : await blockAt(node, `0x${height.toString(16)}`);
    if (block.transactions > 0) return true;
  }
  return false;
}

async function blockAt(
  node: DevelopmentNode,
  tag: string,
): Promise<{ readonly number: bigint; readonly transactions: number }> {
  const block = await node.call('eth_getBlockByNumber', tag, false);
  const fields = typeof block === 'object' && block !== null ? block : {};
  const number: unknown = 'number' in fields ? fields.number : undefined;
  const transactions: unknown = 'transactions' in fields ? fields.transactions : undefined;
  return {
    number: BigInt(typeof number === 'string' ? number : 0),
    transactions: Array.isArray(transactions) ? transactions.length : 0,
  };
}
