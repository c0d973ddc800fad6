import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { readHeader, type VerifiedHeader } from './block-header.ts';
import { equalBytes, readBytes, readNumber, wordBytes } from './bytes.ts';
import type { ChainNode } from './chain-node.ts';
import { asked } from './pinned-block.ts';
import { type ProvenAccount, readAccount } from './state-proof.ts';

/** A block of one chain whose hash is agreed on, and the nodes that are asked about it. */
export type ChainView = { readonly nodes: readonly ChainNode[]; readonly block: VerifiedHeader };

/** Why something could not be read: nobody answered, or what was answered proves nothing. */
export type Unread = { readonly unread: string; readonly answered: boolean };

/** An account and slots of it, out of the first proof that leads to the block. Whoever lies is passed over. */
export async function readProven(
  { nodes, block }: ChainView,
  question: { readonly address: Uint8Array; readonly slots: readonly bigint[] },
): Promise<ProvenAccount | Unread> {
  const slots = question.slots.map(wordBytes);
  const params = [hexOf(question.address), slots.map(hexOf), numberHex(block.height)];
  let answered = false;
  for (const node of nodes) {
    const answer = await asked(node, 'eth_getProof', params);
    answered ||= answer !== undefined && answer !== null;
    const account = readAccount(block.stateRoot, { address: question.address, slots }, answer);
    if (account !== undefined) return account;
  }
  const names = nodes.map(({ name }) => name).join(', ');
  const unread = answered
    ? `What ${names} gives of ${hexOf(question.address)} does not lead to block ${block.height}.`
    : `${names} gives no proof of the state of block ${block.height}: old states are kept by archive nodes alone.`;
  return { unread, answered };
}

/** The code at an address, whose hash stands in the state. */
export async function readCode(view: ChainView, address: Uint8Array): Promise<Uint8Array | Unread> {
  const account = await readProven(view, { address, slots: [] });
  if ('unread' in account) return account;
  for (const node of view.nodes) {
    const code = readBytes(await asked(node, 'eth_getCode', [hexOf(address), numberHex(view.block.height)]));
    if (code !== undefined && equalBytes(keccak_256(code), account.codeHash)) return code;
  }
  return { unread: `No node gives the code of ${hexOf(address)} that its block has.`, answered: false };
}

/** The word that every node answers a call of a contract's function without arguments with; undefined where they differ or are silent. */
export async function readWord(
  { nodes, block }: ChainView,
  contract: Uint8Array,
  call: { readonly form: string; readonly argument?: Uint8Array },
): Promise<Uint8Array | undefined> {
  const selector = bytesToHex(keccak_256(utf8ToBytes(call.form)).subarray(0, 4));
  const data = `0x${selector}${bytesToHex(call.argument ?? new Uint8Array())}`;
  let word: Uint8Array | undefined;
  for (const node of nodes) {
    const params = [{ to: hexOf(contract), data }, numberHex(block.height)];
    const answer = readBytes(await asked(node, 'eth_call', params), 32);
    if (answer === undefined || (word !== undefined && !equalBytes(word, answer))) return undefined;
    word = answer;
  }
  return word;
}

/** A block by its number, as every node has it; undefined where one does not, or they differ. */
export async function readBlock(nodes: readonly ChainNode[], height: bigint): Promise<VerifiedHeader | undefined> {
  let found: VerifiedHeader | undefined;
  for (const node of nodes) {
    const header = readHeader(await asked(node, 'eth_getBlockByNumber', [numberHex(height), false]));
    if (header === undefined || header.height !== height) return undefined;
    if (found !== undefined && !equalBytes(found.hash, header.hash)) return undefined;
    found = header;
  }
  return found;
}

/** Nodes by the number of the chain that they say they serve; undefined for those that do not answer. */
export async function chainsOf(
  nodes: readonly ChainNode[],
): Promise<readonly { readonly node: ChainNode; readonly chain: bigint | undefined }[]> {
  return await Promise.all(
    nodes.map(async (node) => ({ node, chain: readNumber(await asked(node, 'eth_chainId', [])) })),
  );
}

export function hexOf(bytes: Uint8Array): string {
  return `0x${bytesToHex(bytes)}`;
}

export function numberHex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
