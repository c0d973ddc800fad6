import { setTimeout as pause } from 'node:timers/promises';
import { readFields, readHash, readList, readQuantity } from '@bulkhead/chain-evm';
import { type Address, chainNumber, CustodyError } from '@bulkhead/domain';
import { bytesOf, type Hex, hexOf, parseVaultRefusal } from '@bulkhead/vaults';
import { RLP } from '@ethereumjs/rlp';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { concatBytes } from '@noble/hashes/utils.js';
import { integer } from './block-header.ts';
import { type ChainQuestions, type PlacedLog, placedLog } from './chain-questions.ts';
import { hashes } from './examination.ts';
import type { SigningKey } from './signing-key.ts';

export type Relayed = { readonly transaction: string; readonly logs: readonly PlacedLog[] };

/** How long a transaction is waited for. */
export const relayedWithinMs: number = 600_000;

const askAgainMs = 1_000;

/** Gas beside what the node estimates: a block later the same call may take a little more. */
const gasReservePercent = 20n;

/**
 * Sends a call that needs no authority of its sender, and waits until it is in a block. Its sender pays the gas.
 *
 * @throws CustodyError `vault/refused` where the contract would not do it, `chain/unavailable`
 */
export async function relayCall(
  questions: ChainQuestions,
  relayer: SigningKey,
  { to, data }: { readonly to: Address; readonly data: Hex },
): Promise<Relayed> {
  const { source } = questions;
  const read = async (method: string, ...params: readonly unknown[]): Promise<bigint> =>
    readQuantity(await source.read({ method, params }), method);
  const call = { from: relayer.address, to, data };
  const estimate = await source.ask({ method: 'eth_estimateGas', params: [call] });
  if (!estimate.ok) throw refusedBy(estimate);
  const gas = (readQuantity(estimate.result, 'gas') * (100n + gasReservePercent)) / 100n;
  const tip = await read('eth_maxPriorityFeePerGas');
  const newest = readFields((await questions.header('latest')) ?? {}, 'a block');
  const fee = readQuantity(newest['baseFeePerGas'], 'a base fee') * 2n + tip;
  const fields = [
    integer(BigInt(chainNumber(await questions.chain()))),
    integer(await read('eth_getTransactionCount', relayer.address, 'pending')),
    integer(tip),
    integer(fee),
    integer(gas),
    bytesOf(to),
    new Uint8Array(),
    bytesOf(data),
    [],
  ];
  const typed = (items: readonly (Uint8Array | never[])[]): Uint8Array =>
    concatBytes(Uint8Array.of(2), RLP.encode([...items]));
  const { r, s, yParity } = relayer.sign(keccak_256(typed(fields)));
  const raw = typed([...fields, integer(BigInt(yParity)), integer(r), integer(s)]);
  const sent = await source.send({ method: 'eth_sendRawTransaction', params: [hexOf(raw)] });
  if (!sent.ok) {
    throw new CustodyError(
      'transaction/rejected',
      `The node took no transaction of ${relayer.address}: ${sent.message}.`,
    );
  }
  return await relayed(questions, readHash(sent.result, 'the hash of a transaction'));
}

async function relayed({ source }: ChainQuestions, transaction: string): Promise<Relayed> {
  const end = Date.now() + relayedWithinMs;
  while (Date.now() < end) {
    const answer = await source.read({ method: 'eth_getTransactionReceipt', params: [transaction] });
    if (answer !== null) {
      const fields = readFields(answer, 'a receipt');
      if (readQuantity(fields['status'], 'a status') !== 1n) {
        throw new CustodyError(
          'vault/refused',
          `The transaction ${transaction} failed: somebody else was faster, or its gas ran out.`,
        );
      }
      return { transaction, logs: readList(fields['logs'], 'logs').map(placedLog) };
    }
    await pause(askAgainMs);
  }
  throw new CustodyError(
    'chain/unavailable',
    `The transaction ${transaction} is in no block after ${relayedWithinMs / 1_000} seconds. Look for it later; sending again does no harm.`,
  );
}

function refusedBy({ message, data }: { readonly message: string; readonly data: unknown }): CustodyError {
  const bytes = typeof data === 'string' && /^0x(?:[0-9a-f]{2})*$/u.test(data) ? hexOf(bytesOf(data)) : '0x';
  const refusal = parseVaultRefusal(hashes, bytes);
  if (refusal === undefined) {
    return new CustodyError(
      'vault/refused',
      `The chain would not do this: ${message.slice(0, 200)}. Nothing was sent.`,
    );
  }
  const { refusal: name, ...values } = refusal;
  const said = Object.entries(values).map(([key, value]) => `${key} ${String(value)}`);
  return new CustodyError('vault/refused', `The vault refuses: ${name} (${said.join(', ')}). Nothing was sent.`);
}
