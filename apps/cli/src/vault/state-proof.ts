import type { Address } from '@bulkhead/domain';
import { bytesOf, type Hex, hexOf } from '@bulkhead/vaults';
import { createMPT, verifyMerkleProof } from '@ethereumjs/mpt';
import { RLP } from '@ethereumjs/rlp';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { integer } from './block-header.ts';
import type { AccountProof } from './chain-questions.ts';

/** An account as the state of a block has it. */
export type ProvenAccount = {
  readonly balance: bigint;
  readonly codeHash: Hex;
  readonly slots: ReadonlyMap<Hex, bigint>;
};

export const emptyCodeHash: Hex = hexOf(keccak_256(new Uint8Array()));
const emptyRoot: Hex = hexOf(keccak_256(RLP.encode(new Uint8Array())));

/** Reads an account out of a proof, or says why it proves nothing. */
export async function provenAccount(
  stateRoot: Uint8Array,
  address: Address,
  proof: AccountProof,
): Promise<ProvenAccount | undefined> {
  const found = await proven(stateRoot, bytesOf(address), proof.nodes);
  if (found === undefined) return undefined;
  if (found === 'absent') {
    return { balance: 0n, codeHash: emptyCodeHash, slots: new Map(proof.storage.map(({ slot }) => [slot, 0n])) };
  }
  const [, balance, storageRoot, codeHash] = listOf(found);
  if (balance === undefined || storageRoot === undefined || codeHash === undefined) return undefined;
  const slots = new Map<Hex, bigint>();
  for (const { slot, nodes } of proof.storage) {
    const value = hexOf(storageRoot) === emptyRoot ? 'absent' : await proven(storageRoot, bytesOf(slot), nodes);
    if (value === undefined) return undefined;
    slots.set(slot, value === 'absent' ? 0n : numberOf(stringOf(value)));
  }
  return { balance: numberOf(balance), codeHash: hexOf(codeHash), slots };
}

/** The root of the receipts of a block: each under the RLP of its place. */
export async function receiptsRoot(receipts: readonly Uint8Array[]): Promise<Hex> {
  const trie = await createMPT();
  for (const [place, receipt] of receipts.entries()) await trie.put(RLP.encode(integer(BigInt(place))), receipt);
  return hexOf(trie.root());
}

/** Bytes at a key of a trie, that there is nothing, or undefined where the nodes prove neither. */
async function proven(
  root: Uint8Array,
  key: Uint8Array,
  nodes: readonly Hex[],
): Promise<Uint8Array | 'absent' | undefined> {
  try {
    const value = await verifyMerkleProof(key, nodes.map(bytesOf), { root, useKeyHashing: true });
    return value ?? 'absent';
  } catch {
    return undefined;
  }
}

function listOf(bytes: Uint8Array): readonly (Uint8Array | undefined)[] {
  const decoded = RLP.decode(bytes);
  if (!Array.isArray(decoded)) return [];
  return decoded.map((item) => (item instanceof Uint8Array ? item : undefined));
}

function stringOf(bytes: Uint8Array): Uint8Array {
  const decoded = RLP.decode(bytes);
  return decoded instanceof Uint8Array ? decoded : new Uint8Array();
}

function numberOf(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(hexOf(bytes));
}
