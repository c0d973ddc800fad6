import {
  type Address,
  type AssetId,
  type ContractLog,
  contractOf,
  type Hash,
  type Hex,
  type Movement,
  nativeAsset,
  type SentTransaction,
} from '@bulkhead/domain';
import { authorityOf } from './authorization.ts';
import { delegateSlot } from './delegate-program.ts';
import type { History } from './history.ts';
import type { Program, ProgramEffect, ProgramState } from './program.ts';
import { readPayoutCall, readTokenCall, revertCall, type SignedTransaction } from './transaction.ts';

/** What lives at an address that is not a key. */
export type Contract =
  | {
      readonly kind: 'token';
      readonly asset: AssetId;
      /** Part of a transfer that is burnt on the way, in hundredths. The event says the whole amount, as the worst tokens do. */
      readonly feePercent: bigint;
      /** On demand every transfer fails. */
      reverting: boolean;
      /** Answers false where others revert: the transaction succeeds and nothing moves. */
      pretending: boolean;
      /** Whether the adapter was told of it; the transfers of others are not shown. */
      readonly listed: boolean;
    }
  /** Pays what it was sent on to others by inner calls. */
  | { readonly kind: 'payer' }
  /** Takes no native coin while `refusing`. */
  | { readonly kind: 'refuser'; refusing: boolean };

export type Contracts = Map<Address, Contract>;

/** What a transaction did. Movements are complete: an adapter without traces leaves the `internal` ones out. */
export type Receipt = SentTransaction & {
  readonly raw: Uint8Array;
  readonly movements: readonly Movement[];
  readonly logs: readonly ContractLog[];
};

export type Execution = {
  readonly state: History;
  readonly contracts: Contracts;
  readonly programs: readonly Program[];
  readonly height: bigint;
  /** Unix seconds of the block at the height. */
  readonly timestamp: bigint;
  readonly baseFee: bigint;
  /** Index of the next log of the block. */
  logIndex: number;
};

export const nativeGas = 21_000n;
export const tokenGas = 60_000n;
const payoutGas = 40_000n;
/** Of any call of a program. */
export const programGas = 300_000n;

/** Whether a transaction can stand in the next block: its nonce is due, its fee is enough and its sender can pay for the worst. */
export function isExecutable(signed: SignedTransaction, on: Omit<Execution, 'logIndex'>): boolean {
  const { transaction, from } = signed;
  const cost = transaction.value + transaction.gasLimit * transaction.maxFeePerGas;
  return (
    on.state.nonce(from, on.height) === transaction.nonce &&
    transaction.maxFeePerGas >= on.baseFee &&
    on.state.balance(nativeAsset(transaction.chain), from, on.height) >= cost
  );
}

/** Runs an executable transaction in the block at `height`. The fee is burnt whatever comes of the call. */
export function execute(signed: SignedTransaction, on: Execution): Receipt {
  const { transaction, from, hash, raw } = signed;
  const { state, height } = on;
  const needed = gasOf(signed, on);
  const gasUsed = needed > transaction.gasLimit ? transaction.gasLimit : needed;
  const tipped = on.baseFee + transaction.maxPriorityFeePerGas;
  const price = tipped < transaction.maxFeePerGas ? tipped : transaction.maxFeePerGas;
  const fee = gasUsed * price;
  state.add({ asset: nativeAsset(transaction.chain), address: from, height, change: -fee });
  state.countNonce(from, height);
  for (const { authority, delegate } of valid(signed, on)) {
    state.countNonce(authority, height);
    state.store({ address: authority, slot: delegateSlot, height, value: BigInt(delegate) });
  }
  const done = needed > transaction.gasLimit ? undefined : call(signed, on);
  const { nonce } = transaction;
  const { movements, logs } = done ?? { movements: [], logs: [] };
  return { hash, from, nonce, succeeded: done !== undefined, fee, raw, movements, logs };
}

type Delegated = { readonly authority: Address; readonly delegate: Address };

/** What the authorisations of a transaction do: one whose nonce is not the next of its address is passed over, as on any chain. */
function valid(
  { transaction }: Pick<SignedTransaction, 'transaction'>,
  { state, height }: Pick<Execution, 'state' | 'height'>,
): readonly Delegated[] {
  return transaction.authorizations
    .map((one) => ({ ...one, authority: authorityOf(transaction.chain, one) }))
    .filter(({ authority, nonce }) => state.nonce(authority, height) === nonce);
}

type Did = { readonly movements: readonly Movement[]; readonly logs: readonly ContractLog[] };

export function programState({
  state,
  contracts,
  height,
  timestamp,
}: Pick<Execution, 'state' | 'contracts' | 'height' | 'timestamp'>): ProgramState {
  return {
    balance: (asset, address) => state.balance(asset, address, height),
    word: (address, slot) => state.word(address, slot, height),
    accepts: (asset, to) => accepts(contracts, asset, to),
    timestamp,
    height,
  };
}

function accepts(contracts: Contracts, asset: AssetId, to: Address): boolean {
  const contract = contractOf(asset);
  const called = contracts.get(contract ?? to);
  if (contract === undefined) return called === undefined || (called.kind === 'refuser' && !called.refusing);
  return called?.kind === 'token' && !called.reverting && !called.pretending;
}

/** What the call of a program would do; `none` where no program is called. */
function effectsOf(
  { transaction, from }: Pick<SignedTransaction, 'transaction' | 'from'>,
  on: Omit<Execution, 'logIndex'>,
): readonly ProgramEffect[] | 'none' | 'reverts' {
  const { to, data, value } = transaction;
  if (!isHex(data)) return 'none';
  const read = withAuthorizations(programState(on), valid({ transaction }, on));
  const program = on.programs.find((candidate) => candidate.handles(to, read));
  if (program === undefined) return 'none';
  return value === 0n ? (program.run({ from, to, data }, read) ?? 'reverts') : 'reverts';
}

/** As the state is once they are carried out: before a block has them this is what an estimate looks at. */
function withAuthorizations(state: ProgramState, delegated: readonly Delegated[]): ProgramState {
  const set = new Map(delegated.map(({ authority, delegate }) => [authority, BigInt(delegate)]));
  return {
    ...state,
    word: (address, slot) => (slot === delegateSlot ? set.get(address) : undefined) ?? state.word(address, slot),
  };
}

function isHex(text: string): text is Hex {
  return /^0x(?:[0-9a-f]{2})*$/u.test(text);
}

function carryOut(effects: readonly ProgramEffect[], hash: Hash, on: Execution): Did {
  const movements: Movement[] = [];
  const logs: ContractLog[] = [];
  let inner = 0;
  for (const effect of effects) {
    switch (effect.type) {
      case 'store':
        on.state.store({ ...effect, height: on.height });
        break;
      case 'log': {
        const { address, topics, data } = effect;
        logs.push({ transaction: hash, index: BigInt(on.logIndex), address, topics, data });
        on.logIndex += 1;
        break;
      }
      case 'move': {
        const { asset, from, to, amount } = effect;
        const token = contractOf(asset) === undefined ? undefined : on.contracts.get(contractOf(asset) ?? to);
        if (token?.kind === 'token') {
          movements.push(moveToken({ hash, from, to, amount }, token, on));
          break;
        }
        const facts = { kind: 'internal', reference: `${hash}:${inner}`, transaction: hash } as const;
        inner += 1;
        movements.push(move({ ...facts, asset, from, to, amount }, on));
        break;
      }
    }
  }
  return { movements, logs };
}

/** Whether a call would go through as things stand; nothing changes. */
export function wouldSucceed(
  signed: Pick<SignedTransaction, 'transaction' | 'from'>,
  on: Omit<Execution, 'logIndex'>,
): boolean {
  const { transaction, from } = signed;
  const contract = on.contracts.get(transaction.to);
  const native = nativeAsset(transaction.chain);
  if (on.state.balance(native, from, on.height) < transaction.value) return false;
  const effects = effectsOf(signed, on);
  if (effects !== 'none') return effects !== 'reverts';
  if (contract === undefined) return true;
  switch (contract.kind) {
    case 'refuser':
      return !contract.refusing;
    case 'token': {
      const transfer = readTokenCall(transaction.data);
      const held = on.state.balance(contract.asset, from, on.height);
      return transfer !== undefined && !contract.reverting && transaction.value === 0n && held >= transfer.amount;
    }
    case 'payer':
      return transaction.data !== revertCall && readPayoutCall(transaction.data) !== undefined;
  }
}

export function isProgramCall(
  signed: Pick<SignedTransaction, 'transaction' | 'from'>,
  on: Omit<Execution, 'logIndex'>,
): boolean {
  return effectsOf(signed, on) !== 'none';
}

function gasOf(signed: SignedTransaction, on: Execution): bigint {
  const contract = on.contracts.get(signed.transaction.to);
  if (isProgramCall(signed, on)) return programGas;
  if (contract?.kind === 'token') return tokenGas;
  if (contract?.kind === 'payer') return nativeGas + payoutGas * BigInt(signed.transaction.data.split('\n').length);
  return nativeGas;
}

/** The movements of the call, or undefined when it reverted and did nothing. */
function call(signed: SignedTransaction, on: Execution): Did | undefined {
  if (!wouldSucceed(signed, on)) return undefined;
  const effects = effectsOf(signed, on);
  if (effects !== 'none') return effects === 'reverts' ? undefined : carryOut(effects, signed.hash, on);
  return { movements: paid(signed, on), logs: [] };
}

function paid(signed: SignedTransaction, on: Execution): readonly Movement[] {
  const { transaction, from, hash } = signed;
  const contract = on.contracts.get(transaction.to);
  if (contract?.kind === 'token') {
    const { to, amount } = readTokenCall(transaction.data) ?? { to: from, amount: 0n };
    return contract.pretending ? [] : [moveToken({ hash, from, to, amount }, contract, on)];
  }
  const asset = nativeAsset(transaction.chain);
  const movements: Movement[] = [];
  if (transaction.value > 0n) {
    movements.push(
      move(
        {
          kind: 'native',
          reference: hash,
          transaction: hash,
          asset,
          from,
          to: transaction.to,
          amount: transaction.value,
        },
        on,
      ),
    );
  }
  if (contract?.kind === 'payer') movements.push(...payOut(signed, on));
  return movements;
}

type Moved = Movement & { readonly transaction: Hash; readonly from: Address; readonly to: Address };

function move(movement: Moved, on: Execution): Movement {
  const { asset, from, to, amount } = movement;
  on.state.add({ asset, address: from, height: on.height, change: -amount });
  on.state.add({ asset, address: to, height: on.height, change: amount });
  return movement;
}

type TokenTransfer = { readonly hash: Hash; readonly from: Address; readonly to: Address; readonly amount: bigint };

function moveToken(
  { hash, from, to, amount }: TokenTransfer,
  token: Extract<Contract, { kind: 'token' }>,
  on: Execution,
): Movement {
  const { asset } = token;
  const burnt = (amount * token.feePercent) / 100n;
  on.state.add({ asset, address: from, height: on.height, change: -amount });
  on.state.add({ asset, address: to, height: on.height, change: amount - burnt });
  const reference = `${hash}:${on.logIndex}`;
  on.logIndex += 1;
  return { kind: 'token', reference, transaction: hash, asset, from, to, amount };
}

/** Inner payments in order. One that is told to revert, is refused or is not covered fails alone. */
function payOut(signed: SignedTransaction, on: Execution): readonly Movement[] {
  const { transaction, hash } = signed;
  const asset = nativeAsset(transaction.chain);
  const movements: Movement[] = [];
  for (const [index, { to, amount, reverts }] of (readPayoutCall(transaction.data) ?? []).entries()) {
    const contract = on.contracts.get(to);
    const refused = contract !== undefined && !(contract.kind === 'refuser' && !contract.refusing);
    const covered = on.state.balance(asset, transaction.to, on.height) >= amount;
    if (reverts === true || refused || !covered || amount === 0n) continue;
    const facts = { kind: 'internal', reference: `${hash}:${index}`, transaction: hash } as const;
    movements.push(move({ ...facts, asset, from: transaction.to, to, amount }, on));
  }
  return movements;
}
