import { type Address, type ChainId, type Hex, parseAddress, tokenAsset } from '@bulkhead/domain';
import { bytesOf, delegateSweep, hexOf, standardAddress, standardFactory } from '@bulkhead/vaults';
import { keccak_256 } from '@noble/hashes/sha3.js';
import type { Program, ProgramCall, ProgramEffect, ProgramState } from './program.ts';
import { fakeKeccak } from './vault-program.ts';

const saltBytes = 32;

/** Creation code that stands for the one of sweep delegates: a wallet follows it, as with the real one. */
export const fakeDelegateCode: Hex = `0x${'de'.repeat(8)}`;

/** Slot of an address that delegates, set by what it signed; and slot of a delegate, the wallet that it pays. */
export const delegateSlot = 'delegate';
const walletSlot = 'sweeps-to';

/** Delegates (EIP-7702) of addresses, and the standard factory that makes them. */
export class DelegateProgram implements Program {
  readonly #chain: ChainId;

  constructor(chain: ChainId) {
    this.#chain = chain;
  }

  handles(address: Address, state: ProgramState): boolean {
    return address === standardFactory || state.word(address, delegateSlot) > 0n;
  }

  run({ to, data }: ProgramCall, state: ProgramState): readonly ProgramEffect[] | undefined {
    if (to === standardFactory) return made(data, state);
    const wallet = state.word(addressOf(state.word(to, delegateSlot)), walletSlot);
    // Code that is not there yet does nothing, and the call succeeds all the same.
    if (wallet === 0n || data === '0x') return [];
    const swept = delegateSweep.parse(fakeKeccak, bytesOf(data));
    if (swept === undefined) return undefined;
    const asset = tokenAsset(this.#chain, swept.arguments.token);
    const amount = state.balance(asset, to);
    return amount === 0n ? [] : [{ type: 'move', asset, from: to, to: addressOf(wallet), amount }];
  }

  view(): undefined {
    return undefined;
  }

  codeHash(address: Address, state: ProgramState): string | undefined {
    const delegate = state.word(address, delegateSlot);
    if (delegate > 0n) return hashOf(bytesOf(`0xef0100${addressOf(delegate).slice(2)}`));
    return state.word(address, walletSlot) > 0n ? hashOf(bytesOf(fakeDelegateCode)) : undefined;
  }
}

function made(data: Hex, state: ProgramState): readonly ProgramEffect[] | undefined {
  const code = bytesOf(data).subarray(saltBytes);
  const head = bytesOf(fakeDelegateCode);
  if (hexOf(code.subarray(0, head.length)) !== fakeDelegateCode || code.length !== head.length + 32) return undefined;
  const address = standardAddress(fakeKeccak, code);
  // The standard factory reverts where there is code already.
  if (state.word(address, walletSlot) > 0n) return undefined;
  return [{ type: 'store', address, slot: walletSlot, value: BigInt(hexOf(code.subarray(head.length))) }];
}

function addressOf(word: bigint): Address {
  return parseAddress(`0x${word.toString(16).padStart(40, '0')}`);
}

function hashOf(bytes: Uint8Array): string {
  return Buffer.from(keccak_256(bytes)).toString('hex');
}
