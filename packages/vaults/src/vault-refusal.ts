import type { Address } from '@bulkhead/domain';
import {
  addressCodec,
  type Codec,
  decodeWhole,
  type Keccak,
  named,
  type Shape,
  steadyHash,
  struct,
  unsigned,
  type ValuesOf,
  wordHexCodec,
} from './codec.ts';
import { firstOf } from './contract-call.ts';
import type { VaultSide } from './vault-message.ts';
import { bytesAt, bytesOf, type Hex } from './word.ts';

/** Why a vault does nothing, with the values that show it. */
export type VaultRefusalFields = {
  readonly WrongConfig: { readonly configHash: Hex };
  readonly Reentered: object;
  readonly Expired: { readonly deadline: bigint; readonly time: bigint };
  readonly NonceUsed: { readonly side: VaultSide; readonly nonce: bigint };
  readonly NoQuorum: { readonly digest: Hex };
  readonly WrongKey: { readonly side: VaultSide; readonly digest: Hex };
  readonly WrongSide: { readonly side: VaultSide };
  readonly NotADestination: { readonly to: Address; readonly activeFrom: bigint };
  readonly ForbiddenDestination: { readonly to: Address };
  readonly NothingToPay: object;
  readonly FeeAboveMax: { readonly amount: bigint; readonly feeMax: bigint };
  readonly WrongPolicy: { readonly policyHash: Hex };
  readonly UnlistedForbidden: object;
  readonly UnfitDestination: { readonly to: Address };
  readonly AlreadyListed: { readonly to: Address; readonly activeFrom: bigint };
  readonly NotPending: { readonly to: Address; readonly activeFrom: bigint };
  readonly WrongCap: { readonly cap: bigint; readonly current: bigint };
  readonly UnfitExitDestination: { readonly to: Address };
  readonly UnfitKey: { readonly key: Hex };
  readonly NothingToExit: { readonly token: Address };
  readonly AboveLimit: { readonly amount: bigint; readonly spent: bigint; readonly cap: bigint };
  readonly ExitPending: { readonly readyAt: bigint };
  readonly NoExit: object;
  readonly ExitNotReady: { readonly readyAt: bigint; readonly time: bigint };
  readonly CustodianAlive: { readonly lastHeartbeat: bigint; readonly period: bigint; readonly time: bigint };
  readonly NotQueued: { readonly change: Hex };
  readonly NotReady: { readonly change: Hex; readonly readyAt: bigint; readonly time: bigint };
  readonly BeyondTime: { readonly time: bigint };
  readonly Overtaken: { readonly change: Hex; readonly since: bigint };
  readonly PauseTooSoon: { readonly allowedFrom: bigint; readonly time: bigint };
  readonly PausedUntil: { readonly until: bigint; readonly time: bigint };
};

export type VaultRefusal = {
  readonly [N in keyof VaultRefusalFields]: { readonly refusal: N } & VaultRefusalFields[N];
}[keyof VaultRefusalFields];

type RefusalForm<N extends string, T> = {
  readonly signature: string;
  parse(hashes: Keccak, data: Uint8Array): ({ readonly refusal: N } & T) | undefined;
};

const selectorBytes = 4;
const number = unsigned(256);
const side: Codec<VaultSide> = named({ quorum: 0n, client: 1n, exit: 2n });
const change = wordHexCodec;
const to = addressCodec;

export const vaultRefusals: { readonly [N in keyof VaultRefusalFields]: RefusalForm<N, VaultRefusalFields[N]> } = {
  WrongConfig: refusalForm('WrongConfig', { configHash: wordHexCodec }),
  Reentered: refusalForm('Reentered', {}),
  Expired: refusalForm('Expired', { deadline: number, time: number }),
  NonceUsed: refusalForm('NonceUsed', { side, nonce: number }),
  NoQuorum: refusalForm('NoQuorum', { digest: wordHexCodec }),
  WrongKey: refusalForm('WrongKey', { side, digest: wordHexCodec }),
  WrongSide: refusalForm('WrongSide', { side }),
  NotADestination: refusalForm('NotADestination', { to, activeFrom: number }),
  ForbiddenDestination: refusalForm('ForbiddenDestination', { to }),
  NothingToPay: refusalForm('NothingToPay', {}),
  FeeAboveMax: refusalForm('FeeAboveMax', { amount: number, feeMax: number }),
  WrongPolicy: refusalForm('WrongPolicy', { policyHash: wordHexCodec }),
  UnlistedForbidden: refusalForm('UnlistedForbidden', {}),
  UnfitDestination: refusalForm('UnfitDestination', { to }),
  AlreadyListed: refusalForm('AlreadyListed', { to, activeFrom: number }),
  NotPending: refusalForm('NotPending', { to, activeFrom: number }),
  WrongCap: refusalForm('WrongCap', { cap: number, current: number }),
  UnfitExitDestination: refusalForm('UnfitExitDestination', { to }),
  UnfitKey: refusalForm('UnfitKey', { key: wordHexCodec }),
  NothingToExit: refusalForm('NothingToExit', { token: addressCodec }),
  AboveLimit: refusalForm('AboveLimit', { amount: number, spent: number, cap: number }),
  ExitPending: refusalForm('ExitPending', { readyAt: number }),
  NoExit: refusalForm('NoExit', {}),
  ExitNotReady: refusalForm('ExitNotReady', { readyAt: number, time: number }),
  CustodianAlive: refusalForm('CustodianAlive', { lastHeartbeat: number, period: number, time: number }),
  NotQueued: refusalForm('NotQueued', { change }),
  NotReady: refusalForm('NotReady', { change, readyAt: number, time: number }),
  BeyondTime: refusalForm('BeyondTime', { time: number }),
  Overtaken: refusalForm('Overtaken', { change, since: number }),
  PauseTooSoon: refusalForm('PauseTooSoon', { allowedFrom: number, time: number }),
  PausedUntil: refusalForm('PausedUntil', { until: number, time: number }),
};

/**
 * What a vault said when it reverted, or undefined for what is no error of a vault: that of a token, or of a node.
 *
 * @throws CustodyError `vault/malformed` for one of theirs in another form
 */
export function parseVaultRefusal(hashes: Keccak, data: Hex): VaultRefusal | undefined {
  const bytes = bytesOf(data);
  return firstOf(Object.values(vaultRefusals), (form) => form.parse(hashes, bytes));
}

function refusalForm<N extends string, const S extends Shape>(name: N, shape: S): RefusalForm<N, ValuesOf<S>> {
  const form = struct('', shape);
  const signature = name + form.abiType;
  return {
    signature,
    parse: (hashes, data) => {
      const selector = bytesAt(steadyHash(hashes, signature), 0, selectorBytes);
      if (data.length < selectorBytes || selector.some((byte, index) => data[index] !== byte)) return undefined;
      return { refusal: name, ...decodeWhole(form, data.subarray(selectorBytes)) };
    },
  };
}
