import { readData, readHash, readQuantity } from '@bulkhead/chain-evm';
import { bytesOf, type Hex, hexOf } from '@bulkhead/vaults';
import { headerFields } from '@bulkhead/verifier';
import { RLP } from '@ethereumjs/rlp';
import { keccak_256 } from '@noble/hashes/sha3.js';

/** What a header says, once its hash has been worked out from its bytes. */
export type BlockHeader = {
  readonly hash: Hex;
  readonly parent: Hex;
  readonly height: bigint;
  readonly time: bigint;
  readonly stateRoot: Uint8Array;
  readonly receiptsRoot: Hex;
  readonly bloom: Uint8Array;
};

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a header and works its hash out anew.
 *
 * @throws CustodyError `chain/nonsense` for fields that no header has
 */
export function readHeader(fields: Fields): BlockHeader {
  const parts = headerFields.flatMap(([name, kind]) => {
    const value = fields[name];
    if (value === undefined || value === null) return [];
    return [kind === 'number' ? integer(readQuantity(value, name)) : bytesOf(readData(value, name))];
  });
  return {
    hash: hexOf(keccak_256(RLP.encode(parts))),
    parent: readHash(fields['parentHash'], 'the hash of a parent'),
    height: readQuantity(fields['number'], 'a height'),
    time: readQuantity(fields['timestamp'], 'a time'),
    stateRoot: bytesOf(readHash(fields['stateRoot'], 'a state root')),
    receiptsRoot: readHash(fields['receiptsRoot'], 'a root of receipts'),
    bloom: bytesOf(readData(fields['logsBloom'], 'a bloom filter')),
  };
}

/** Whether a block may have a log with this address or topic. Where it says no, there is none. */
export function mayContain({ bloom }: BlockHeader, part: Hex): boolean {
  const hash = keccak_256(bytesOf(part));
  return [0, 2, 4].every((place) => {
    const bit = (((hash[place] ?? 0) << 8) | (hash[place + 1] ?? 0)) & 0x7ff;
    return ((bloom[bloom.length - 1 - (bit >> 3)] ?? 0) & (1 << (bit & 7))) !== 0;
  });
}

/** Big-endian, without zeros in front. */
export function integer(value: bigint): Uint8Array {
  if (value === 0n) return new Uint8Array();
  const digits = value.toString(16);
  return bytesOf(`0x${digits.length % 2 === 0 ? '' : '0'}${digits}`);
}
