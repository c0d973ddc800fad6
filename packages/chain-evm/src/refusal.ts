import type { BroadcastOutcome } from '@bulkhead/domain';
import { hexToString } from 'viem';
import type { RpcRefusal } from './source.ts';

/**
 * What nodes write when they do not take a transaction. The texts are no standard; these are those of anvil, Geth (and Reth
 * and Erigon, which follow it), Nethermind and Besu. The order counts: the first that matches is the outcome.
 */
const broadcastTexts: readonly (readonly [RegExp, BroadcastOutcome])[] = [
  [/alreadyknown|alreadyimported|(?<!un)knowntransaction|alreadyexists|alreadyinthe(?:mem)?pool/u, 'already-known'],
  [/nonce(?:is)?toolow|oldnonce|nonce(?:is)?below|noncealreadyused/u, 'nonce-used'],
  [
    /underpriced|gaspricetoolow|feetoolow|lessthan(?:the)?blockbasefee|(?:price|fee)(?:is)?below|replacementnotallowed/u,
    'underpriced',
  ],
  [/insufficient(?:funds|balance)|upfrontcost|notenough(?:funds|balance)/u, 'insufficient-coin'],
];

/** `unclear` for a text nobody has met before: look at the chain, never guess. */
export function broadcastOutcomeOf(refusal: RpcRefusal): BroadcastOutcome {
  // The same words come as sentences, as names of constants and as names of classes.
  const text = refusal.message.toLowerCase().replaceAll(/[\s_-]+/gu, '');
  const found = broadcastTexts.find(([pattern]) => pattern.test(text));
  return found?.[1] ?? 'unclear';
}

/** JSON-RPC code that execution clients use for a revert (EIP-1474 leaves it open; Geth made it the custom). */
const revertCode = 3;
const failureTexts =
  /revert|insufficient|exceeds (?:allowance|balance|block gas limit)|out of ?gas|always failing|invalid opcode|not enough|VM execution error|stack (?:over|under)flow|bad instruction/iu;

/** Whether the node says that the call itself would fail, as opposed to that it cannot tell. */
export function saysItFails(refusal: RpcRefusal): boolean {
  return refusal.code === revertCode || failureTexts.test(refusal.message);
}

/** `Error(string)`: what `require` and `revert` with a text encode. */
const errorSelector = '0x08c379a0';
const panicSelector = '0x4e487b71';

/** The words of a revert where it has any, its raw data where it has that, the node's message otherwise. */
export function reasonOf(refusal: RpcRefusal): string {
  const data =
    typeof refusal.data === 'string' && /^0x(?:[0-9a-f]{2})+$/iu.test(refusal.data) ? refusal.data.toLowerCase() : '';
  if (data.startsWith(errorSelector)) {
    const length = Number.parseInt(data.slice(10 + 64, 10 + 128), 16);
    const text = data.slice(10 + 128, 10 + 128 + length * 2);
    if (Number.isSafeInteger(length) && text.length === length * 2) return printable(hexToString(`0x${text}`));
  }
  if (data.startsWith(panicSelector)) return `panic 0x${data.slice(-2)}`;
  if (data !== '') return `${printable(refusal.message)} (${data.slice(0, 138)})`;
  return printable(refusal.message);
}

/** A contract chooses the text of its revert: control characters must not reach a terminal or a log. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/gu, '?').slice(0, 200);
}
