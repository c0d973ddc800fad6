import { setTimeout as pause } from 'node:timers/promises';
import type { Outside } from './outside.ts';

/** Blocks behind the head that the development chain calls final, and one to spare. */
const depthFinal = 3;
const lookPauseMs = 400;

/**
 * Keeps the development chain moving: it mines a block only for a transaction, so without company nothing would ever become
 * final. After every block with transactions the keeper adds empty ones until that block is final, then rests.
 */
export async function keepChain(outside: Outside, signal: AbortSignal): Promise<void> {
  let busy = -1;
  let seen = -1;
  while (!signal.aborted) {
    try {
      const head = Number(BigInt(String(await outside.rpc('eth_blockNumber'))));
      // After a restart, or when many blocks came at once, the youngest one stands for those before it.
      if (head > seen) {
        const block = await outside.rpc('eth_getBlockByNumber', `0x${head.toString(16)}`, false);
        if (seen < 0 || head > seen + 1 || transactionsIn(block) > 0) busy = head;
        seen = head;
      }
      if (busy >= 0 && head < busy + depthFinal && !outside.held) await outside.mine(1);
      else await pause(lookPauseMs, undefined, { signal });
    } catch {
      // The chain is going down or not up yet; the server says so where it matters.
      await pause(lookPauseMs).catch(() => undefined);
    }
  }
}

function transactionsIn(block: unknown): number {
  if (typeof block !== 'object' || block === null || !('transactions' in block)) return 0;
  return Array.isArray(block.transactions) ? block.transactions.length : 0;
}
