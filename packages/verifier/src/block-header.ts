import { keccak_256 } from '@noble/hashes/sha3.js';
import { equalBytes, fieldOf, integerBytes, readBytes, readNumber } from './bytes.ts';
import { encodeRlpList } from './rlp.ts';

/** What a header says, once its hash has been worked out from its fields. */
export type VerifiedHeader = {
  readonly hash: Uint8Array;
  readonly height: bigint;
  /** Unix seconds. */
  readonly time: bigint;
  readonly stateRoot: Uint8Array;
};

/** Fields in the order in which they are hashed, as JSON-RPC names them; those from `baseFeePerGas` on came with later rules. */
export const headerFields: readonly (readonly [name: string, kind: 'bytes' | 'number'])[] = [
  ['parentHash', 'bytes'],
  ['sha3Uncles', 'bytes'],
  ['miner', 'bytes'],
  ['stateRoot', 'bytes'],
  ['transactionsRoot', 'bytes'],
  ['receiptsRoot', 'bytes'],
  ['logsBloom', 'bytes'],
  ['difficulty', 'number'],
  ['number', 'number'],
  ['gasLimit', 'number'],
  ['gasUsed', 'number'],
  ['timestamp', 'number'],
  ['extraData', 'bytes'],
  ['mixHash', 'bytes'],
  ['nonce', 'bytes'],
  ['baseFeePerGas', 'number'],
  ['withdrawalsRoot', 'bytes'],
  ['blobGasUsed', 'number'],
  ['excessBlobGas', 'number'],
  ['parentBeaconBlockRoot', 'bytes'],
  ['requestsHash', 'bytes'],
];

/** Reads a block as `eth_getBlockByNumber` answers it; undefined where that is no header, or its hash is another one. */
export function readHeader(answer: unknown): VerifiedHeader | undefined {
  const parts: Uint8Array[] = [];
  for (const [name, kind] of headerFields) {
    const value = fieldOf(answer, name);
    if (value === undefined || value === null) continue;
    const number = kind === 'number' ? readNumber(value) : undefined;
    const part = number === undefined ? readBytes(kind === 'bytes' ? value : undefined) : integerBytes(number);
    if (part === undefined) return undefined;
    parts.push(part);
  }
  const hash = keccak_256(encodeRlpList(parts));
  const said = readBytes(fieldOf(answer, 'hash'), hash.length);
  const height = readNumber(fieldOf(answer, 'number'));
  const time = readNumber(fieldOf(answer, 'timestamp'));
  const stateRoot = readBytes(fieldOf(answer, 'stateRoot'), hash.length);
  if (said === undefined || height === undefined || time === undefined || stateRoot === undefined) return undefined;
  return equalBytes(hash, said) ? { hash, height, time, stateRoot } : undefined;
}
