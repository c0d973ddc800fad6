import { keccak_256 } from '@noble/hashes/sha3.js';
import { equalBytes, fieldOf, numberOf, readBytes } from './bytes.ts';
import { decodeRlpBytes, decodeRlpList } from './rlp.ts';
import { provenValue } from './trie-proof.ts';

/** An account in the state of a block, as far as a proof showed it. */
export type ProvenAccount = {
  readonly balance: bigint;
  readonly codeHash: Uint8Array;
  /** In the order in which they were asked for. */
  readonly slots: readonly bigint[];
};

const hashLength = 32;
const emptyCodeHash = keccak_256(new Uint8Array());
/** Root of a trie with nothing in it: the hash of the encoding of no bytes. */
const emptyRoot = keccak_256(Uint8Array.of(0x80));
/** Nodes of a proof that are read at most, and bytes of one: a branch of 16 hashes has 532. */
const nodesMax = 65;
const nodeBytesMax = 1_024;

/**
 * Reads an account and slots of it out of an answer to `eth_getProof` (EIP-1186). Nothing of the answer counts but the nodes: account,
 * values and keys are taken from them and from the question.
 *
 * @returns undefined where the nodes do not prove every part
 */
export function readAccount(
  stateRoot: Uint8Array,
  question: { readonly address: Uint8Array; readonly slots: readonly Uint8Array[] },
  answer: unknown,
): ProvenAccount | undefined {
  const account = provenBy(stateRoot, question.address, fieldOf(answer, 'accountProof'));
  if (account === undefined) return undefined;
  if (account === 'absent') return { balance: 0n, codeHash: emptyCodeHash, slots: question.slots.map(() => 0n) };
  const fields = decodeRlpList(account);
  const [, balance, storageRoot, codeHash] = fields ?? [];
  if (fields?.length !== 4 || balance?.kind !== 'bytes') return undefined;
  if (storageRoot?.kind !== 'bytes' || codeHash?.kind !== 'bytes') return undefined;
  if (storageRoot.bytes.length !== hashLength || codeHash.bytes.length !== hashLength) return undefined;
  const slots = question.slots.map((slot, at) => slotOf(storageRoot.bytes, slot, storageAt(answer, at)));
  if (!slots.every((slot) => slot !== undefined)) return undefined;
  return { balance: numberOf(balance.bytes), codeHash: codeHash.bytes, slots };
}

function slotOf(storageRoot: Uint8Array, slot: Uint8Array, proof: unknown): bigint | undefined {
  if (equalBytes(storageRoot, emptyRoot)) return 0n;
  const found = provenBy(storageRoot, slot, fieldOf(proof, 'proof'));
  if (found === undefined || found === 'absent') return found === 'absent' ? 0n : undefined;
  const value = decodeRlpBytes(found);
  return value === undefined || value.length > hashLength || value[0] === 0 ? undefined : numberOf(value);
}

function storageAt(answer: unknown, at: number): unknown {
  const list = fieldOf(answer, 'storageProof');
  const one: unknown = Array.isArray(list) ? list[at] : undefined;
  return one;
}

function provenBy(root: Uint8Array, key: Uint8Array, list: unknown): Uint8Array | 'absent' | undefined {
  if (!Array.isArray(list) || list.length > nodesMax) return undefined;
  const nodes: Uint8Array[] = [];
  for (const node of list) {
    const bytes = readBytes(node);
    if (bytes === undefined || bytes.length > nodeBytesMax) return undefined;
    nodes.push(bytes);
  }
  return provenValue(root, key, nodes);
}
