import type { Address } from '@bulkhead/domain';
import {
  addressCodec,
  booleanCodec,
  type Codec,
  decodeWhole,
  encodeAll,
  type Keccak,
  listOf,
  named,
  type Shape,
  steadyHash,
  struct,
  type ValuesOf,
  unsigned,
  wordHexCodec,
} from './codec.ts';
import { firstOf } from './contract-call.ts';
import { type VaultConfig, vaultConfigCodec } from './vault-config.ts';
import type { KeyRole, VaultSide } from './vault-message.ts';
import { bytesOf, type Hex, hexOf, malformed } from './word.ts';

/** An event as nodes give it. */
export type ContractLog = { readonly topics: readonly Hex[]; readonly data: Hex };

/** By what right the quorum paid: a destination, an omnibus' limit for others, or together with the client key. */
export type PaymentAuthority = 'listed' | 'unlisted' | 'one-off';

/** What each event of a vault says. Each outflow has exactly one of `Withdrawn`, `FeeCollected` above 0, and `Exited`. */
export type VaultEventFields = {
  readonly Withdrawn: {
    readonly token: Address;
    readonly to: Address;
    readonly amount: bigint;
    readonly nonce: bigint;
    readonly authority: PaymentAuthority;
  };
  /** Of the time from `from` to `to`. The first of a token has amount 0 and `from` 0: it starts the clock. */
  readonly FeeCollected: {
    readonly token: Address;
    readonly amount: bigint;
    readonly nonce: bigint;
    readonly from: bigint;
    readonly to: bigint;
  };
  readonly Exited: { readonly token: Address; readonly to: Address; readonly amount: bigint };
  readonly NonceInvalidated: { readonly nonce: bigint };
  readonly PolicyOpened: object;
  readonly DestinationAdded: { readonly to: Address; readonly activeFrom: bigint };
  readonly DestinationRemoved: { readonly to: Address; readonly side: VaultSide };
  readonly LimitQueued: {
    readonly change: Hex;
    readonly token: Address;
    readonly cap: bigint;
    readonly unlisted: boolean;
    readonly readyAt: bigint;
  };
  readonly LimitSet: { readonly token: Address; readonly cap: bigint; readonly unlisted: boolean };
  readonly ExitDestinationQueued: { readonly change: Hex; readonly to: Address; readonly readyAt: bigint };
  readonly ExitDestinationChanged: { readonly to: Address };
  readonly KeyRotationQueued: {
    readonly change: Hex;
    readonly side: VaultSide;
    readonly role: KeyRole;
    readonly newKey: Hex;
    readonly readyAt: bigint;
  };
  readonly KeyRotated: { readonly role: KeyRole; readonly newKey: Hex };
  readonly Vetoed: { readonly change: Hex; readonly side: VaultSide };
  readonly Paused: { readonly side: VaultSide; readonly until: bigint };
  readonly ExitRequested: { readonly readyAt: bigint };
  readonly ExitCancelled: object;
  readonly ExitOpened: { readonly lastHeartbeat: bigint };
};

export type FactoryEventFields = {
  readonly VaultCreated: { readonly vault: Address; readonly clientId: Hex; readonly config: VaultConfig };
  readonly ForwarderCreated: { readonly forwarder: Address; readonly vault: Address; readonly salt: Hex };
};

export type SignerSetEventFields = {
  readonly SetQueued: {
    readonly number: bigint;
    readonly members: readonly Address[];
    readonly threshold: bigint;
    readonly activeFrom: bigint;
  };
  readonly HeartbeatGiven: { readonly blockNumber: bigint; readonly blockHash: Hex; readonly statement: Hex };
};

export type EventOf<F> = { readonly [N in keyof F & string]: { readonly event: N } & F[N] }[keyof F & string];

export type VaultEvent = EventOf<VaultEventFields>;
export type FactoryEvent = EventOf<FactoryEventFields>;
export type SignerSetEvent = EventOf<SignerSetEventFields>;

type EventForm<N extends string, T> = {
  /** Name and types, whose hash is the first topic. */
  readonly signature: string;
  parse(hashes: Keccak, log: ContractLog): ({ readonly event: N } & T) | undefined;
};
export type EventForms<F> = { readonly [N in keyof F & string]: EventForm<N, F[N]> };

const amount = unsigned(256);
const time = unsigned(256);
const side = named({ quorum: 0n, client: 1n, exit: 2n });
const role = named({ client: 1n, exit: 2n });
const authority = named({ listed: 1n, unlisted: 2n, 'one-off': 3n });
const token = addressCodec;
const to = addressCodec;
const change = wordHexCodec;

export const vaultEvents: EventForms<VaultEventFields> = {
  Withdrawn: eventForm('Withdrawn', { token, to, amount, nonce: amount, authority }, ['token', 'to']),
  FeeCollected: eventForm('FeeCollected', { token, amount, nonce: amount, from: time, to: time }, ['token']),
  Exited: eventForm('Exited', { token, to, amount }, ['token', 'to']),
  NonceInvalidated: eventForm('NonceInvalidated', { nonce: amount }, []),
  PolicyOpened: eventForm('PolicyOpened', {}, []),
  DestinationAdded: eventForm('DestinationAdded', { to, activeFrom: time }, ['to']),
  DestinationRemoved: eventForm('DestinationRemoved', { to, side }, ['to']),
  LimitQueued: eventForm('LimitQueued', { change, token, cap: amount, unlisted: booleanCodec, readyAt: time }, [
    'change',
    'token',
  ]),
  LimitSet: eventForm('LimitSet', { token, cap: amount, unlisted: booleanCodec }, ['token']),
  ExitDestinationQueued: eventForm('ExitDestinationQueued', { change, to, readyAt: time }, ['change']),
  ExitDestinationChanged: eventForm('ExitDestinationChanged', { to }, []),
  KeyRotationQueued: eventForm('KeyRotationQueued', { change, side, role, newKey: wordHexCodec, readyAt: time }, [
    'change',
  ]),
  KeyRotated: eventForm('KeyRotated', { role, newKey: wordHexCodec }, []),
  Vetoed: eventForm('Vetoed', { change, side }, ['change']),
  Paused: eventForm('Paused', { side, until: time }, []),
  ExitRequested: eventForm('ExitRequested', { readyAt: time }, []),
  ExitCancelled: eventForm('ExitCancelled', {}, []),
  ExitOpened: eventForm('ExitOpened', { lastHeartbeat: time }, []),
};

export const factoryEvents: EventForms<FactoryEventFields> = {
  VaultCreated: eventForm('VaultCreated', { vault: addressCodec, clientId: wordHexCodec, config: vaultConfigCodec }, [
    'vault',
    'clientId',
  ]),
  ForwarderCreated: eventForm(
    'ForwarderCreated',
    { forwarder: addressCodec, vault: addressCodec, salt: wordHexCodec },
    ['forwarder', 'vault'],
  ),
};

export const signerSetEvents: EventForms<SignerSetEventFields> = {
  SetQueued: eventForm(
    'SetQueued',
    { number: amount, members: listOf(addressCodec), threshold: unsigned(8), activeFrom: time },
    ['number'],
  ),
  HeartbeatGiven: eventForm(
    'HeartbeatGiven',
    { blockNumber: amount, blockHash: wordHexCodec, statement: wordHexCodec },
    [],
  ),
};

/**
 * What a log of a vault says, or undefined for an event that vaults do not have.
 *
 * @throws CustodyError `vault/malformed` for one of theirs in another form
 */
export function parseVaultEvent(hashes: Keccak, log: ContractLog): VaultEvent | undefined {
  return firstOf(Object.values(vaultEvents), (form) => form.parse(hashes, log));
}

/** As {@link parseVaultEvent}, of the factory. @throws CustodyError `vault/malformed` */
export function parseFactoryEvent(hashes: Keccak, log: ContractLog): FactoryEvent | undefined {
  return firstOf(Object.values(factoryEvents), (form) => form.parse(hashes, log));
}

/** As {@link parseVaultEvent}, of the signer set. @throws CustodyError `vault/malformed` */
export function parseSignerSetEvent(hashes: Keccak, log: ContractLog): SignerSetEvent | undefined {
  return firstOf(Object.values(signerSetEvents), (form) => form.parse(hashes, log));
}

/** The first topic of an event, by which nodes find its logs. */
export function eventTopic(
  hashes: Keccak,
  name: keyof VaultEventFields | keyof FactoryEventFields | keyof SignerSetEventFields,
): Hex {
  const form = new Map<string, { readonly signature: string }>(
    Object.entries({ ...vaultEvents, ...factoryEvents, ...signerSetEvents }),
  ).get(name);
  return hexOf(steadyHash(hashes, form?.signature ?? name));
}

/** Names of indexed fields come first in topics, in the order of the event; the others are in the data. */
export function eventForm<N extends string, const S extends Shape>(
  name: N,
  shape: S,
  indexed: readonly string[],
): EventForm<N, ValuesOf<S>> {
  const whole = struct('', shape);
  const signature = name + whole.abiType;
  const entries: readonly (readonly [string, Codec<unknown>])[] = Object.entries(shape);
  const inData = struct('', Object.fromEntries(entries.filter(([field]) => !indexed.includes(field))));
  return {
    signature,
    parse: (hashes, { topics, data }) => {
      const [first, ...others] = topics;
      if (first !== hexOf(steadyHash(hashes, signature))) return undefined;
      if (others.length !== indexed.length) {
        throw malformed(`${name} has ${indexed.length} topics beside its name, and this log ${others.length}`);
      }
      const rest = new Map(Object.entries(decodeWhole(inData, bytesOf(data))));
      // Written as if nothing were indexed, and read as a whole: what is read has every field of the event.
      const values = entries.map(([field, codec]): readonly [Codec<unknown>, unknown] => {
        const place = indexed.indexOf(field);
        return [codec, place === -1 ? rest.get(field) : decodeWhole(codec, bytesOf(others[place] ?? '0x'))];
      });
      return { event: name, ...decodeWhole(whole, encodeAll(values)) };
    },
  };
}
