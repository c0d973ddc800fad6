import {
  applyList,
  emptyRegistry,
  type Hashes,
  likeness,
  type RecordLine,
  type Registry,
  windowSecondsMax,
} from '@bulkhead/authority';
import {
  type Address,
  chainOf,
  type Compartment,
  houseGas,
  isMovement,
  isProof,
  isVaultMatter,
  type MovementIntent,
  parseAddress,
  parseCompartment,
  parseIntentText,
  type ProofIntent,
  type VaultIntent,
} from '@bulkhead/domain';
import type { RememberedHead } from '@bulkhead/keys';
import { type Attempts, openAttempts } from './attempts.ts';
import { type BoundedCache, boundedCache } from './bounded-cache.ts';
import { type Nonces, openNonces } from './nonces.ts';
import { groupRecordsMax } from './options.ts';
import { openPace, type Pace, type PaceStep } from './pace.ts';
import { openProofGrants, type ProofGrants } from './proof-grants.ts';
import { reserveProof, takeCheckpoint } from './proof-reservation.ts';
import { countersOf, headsOf, numberOf, textOf, textsOf } from './record-fields.ts';
import { openSignCounts, type SignCounts } from './sign-counts.ts';
import { openUsage, type Usage } from './usage.ts';
import { openVaultGrants, type VaultClaim, type VaultGrants } from './vault-grants.ts';

/** Everything the signer knows. It follows from the records of its log alone. */
export type Knowledge = {
  readonly registry: () => Registry;
  /** Every identity key that ever counted in this log; those that count now are in the registry. */
  readonly everIdentities: () => readonly string[];
  readonly nonces: Nonces;
  readonly usage: Usage;
  readonly pace: Pace;
  readonly attempts: Attempts;
  readonly signCounts: SignCounts;
  readonly vaultGrants: VaultGrants;
  readonly proofGrants: ProofGrants;
  /** The name of an attempt, of a fixed length. */
  readonly attemptName: (attempt: Attempt) => string;
  /** Sequence of the record that granted an attempt, by its name. */
  readonly granted: (attempt: string) => bigint | undefined;
  /** Records that claim to hold the signature of a grant, by the sequence of the grant: one, or more where somebody wrote into the log. */
  readonly signed: (grant: bigint) => readonly bigint[];
  readonly lodged: (digest: string) => readonly Lodged[];
  /** Record that an authority intent led to, by digest. */
  readonly changed: (digest: string) => bigint | undefined;
  readonly certified: Certified;
  /** How many intents have paid an address from a compartment, and when the first one did. */
  readonly paid: (compartment: Compartment, to: Address) => Paid | undefined;
  /** Heads that the newest record has forgiven, if it is a recovery. */
  readonly forgiven: () => readonly RememberedHead[];
  apply(record: RecordLine): void;
  /** The registry that a change will lead to, so that a long list is read once. */
  expect(next: ExpectedRegistry): void;
  /** The intent that a grant will be about, so that it is read once. */
  expectGrant(digest: string, intent: MovementIntent | VaultIntent | ProofIntent): void;
};

/** `first` in Unix seconds. */
export type Paid = { readonly times: bigint; readonly first: bigint };

export type Lodged = { readonly sequence: bigint; readonly person: string; readonly key: string };

export type ExpectedRegistry = { readonly digest: string; readonly at: bigint; readonly registry: Registry };

export type Certified = {
  /** To whom a key of a compartment was certified. */
  client(compartment: Compartment, key: string): string | undefined;
  /** The record with the certificate for one chain. */
  record(compartment: Compartment, key: string, chain: string): bigint | undefined;
  has(compartment: Compartment, address: Address): boolean;
  /** Those that look like an address to people: {@link likeness}. Found without going through all of them. */
  alike(compartment: Compartment, address: Address): readonly Address[];
  /** Takes a key for a client while its record is being written. */
  reserve(compartment: Compartment, key: string, client: string): void;
};

/** What makes a request the same as one before: intent, key and bytes. */
export type Attempt = { readonly digest: string; readonly key: string; readonly unsigned: string };

type Held = {
  registry: Registry;
  everIdentities: readonly string[];
  forgiven: readonly RememberedHead[];
  expected: ExpectedRegistry | undefined;
  readonly expectedGrants: BoundedCache<string, MovementIntent | VaultIntent | ProofIntent>;
  readonly granted: Map<string, bigint>;
  readonly signed: Map<number, bigint | readonly bigint[]>;
  readonly lodged: Map<string, Lodged[]>;
  readonly changed: Map<string, bigint>;
  readonly clients: Map<string, string>;
  readonly certificates: Map<string, bigint>;
  readonly addresses: Map<Compartment, Set<Address>>;
  readonly alike: Map<string, Address[]>;
  readonly paid: Map<string, Paid>;
  /** Intents that were granted at least once. */
  readonly effective: Set<string>;
};

export function openKnowledge(hashes: Hashes): Knowledge {
  const held: Held = {
    registry: emptyRegistry('0'.repeat(32)),
    everIdentities: [],
    forgiven: [],
    expected: undefined,
    expectedGrants: boundedCache(groupRecordsMax * 2),
    granted: new Map(),
    signed: new Map(),
    lodged: new Map(),
    changed: new Map(),
    clients: new Map(),
    certificates: new Map(),
    addresses: new Map(),
    alike: new Map(),
    paid: new Map(),
    effective: new Set(),
  };
  const ledgers: Ledgers = {
    nonces: openNonces(),
    usage: openUsage(windowSecondsMax),
    pace: openPace(),
    attempts: openAttempts(),
    signCounts: openSignCounts(),
    vaultGrants: openVaultGrants(),
    proofGrants: openProofGrants(),
  };
  return {
    ...ledgers,
    registry: () => held.registry,
    everIdentities: () => held.everIdentities,
    attemptName: (attempt) => attemptName(hashes, attempt),
    granted: (attempt) => held.granted.get(attempt),
    signed: (grant) => [held.signed.get(Number(grant)) ?? []].flat(),
    lodged: (digest) => held.lodged.get(digest) ?? [],
    changed: (digest) => held.changed.get(digest),
    certified: {
      client: (compartment, key) => held.clients.get(`${compartment}/${key}`),
      record: (compartment, key, chain) => held.certificates.get(`${compartment}/${key}/${chain}`),
      has: (compartment, address) => held.addresses.get(compartment)?.has(address) === true,
      alike: (compartment, address) => held.alike.get(`${compartment}/${likeness(address)}`) ?? [],
      reserve: (compartment, key, client) => held.clients.set(`${compartment}/${key}`, client),
    },
    paid: (compartment, to) => held.paid.get(`${compartment}/${to}`),
    forgiven: () => held.forgiven,
    expect: (next) => {
      held.expected = next;
    },
    expectGrant: (digest, intent) => held.expectedGrants.set(digest, intent),
    apply: (record) => {
      held.forgiven = [];
      applyRecord({ hashes, held, ledgers }, record);
    },
  };
}

type Ledgers = Pick<Knowledge, 'nonces' | 'usage' | 'pace' | 'attempts' | 'signCounts' | 'vaultGrants' | 'proofGrants'>;
type Parts = { readonly hashes: Hashes; readonly held: Held; readonly ledgers: Ledgers };

function applyRecord(parts: Parts, record: RecordLine): void {
  const { hashes, held, ledgers } = parts;
  const { fields, sequence, at } = record;
  switch (record.type) {
    case 'opened':
      held.everIdentities = textsOf(fields, 'identities');
      held.registry = applyList(hashes, emptyRegistry(textOf(fields, 'deployment'), held.everIdentities), {
        list: textOf(fields, 'list'),
        now: at,
        authority: 'opening',
      });
      return;
    case 'granted':
      applyGrant(parts, record);
      return;
    case 'signed': {
      const grant = Number(numberOf(fields, 'grant'));
      const earlier = held.signed.get(grant);
      held.signed.set(grant, earlier === undefined ? sequence : [earlier, sequence].flat());
      return;
    }
    case 'lodged': {
      const digest = textOf(fields, 'digest');
      const lodged = held.lodged.get(digest) ?? [];
      lodged.push({ sequence, person: textOf(fields, 'person'), key: textOf(fields, 'key') });
      held.lodged.set(digest, lodged);
      ledgers.signCounts.accept(countersOf(fields));
      return;
    }
    case 'changed':
      held.registry = nextRegistry(parts, record);
      held.everIdentities = [...new Set([...held.everIdentities, ...held.registry.identities])];
      held.changed.set(textOf(fields, 'digest'), sequence);
      ledgers.signCounts.accept(countersOf(fields));
      return;
    case 'checkpointed':
      takeCheckpoint(ledgers, record);
      return;
    case 'certified':
      applyCertificate(parts, record);
      return;
    case 'recovered':
      held.forgiven = headsOf(fields, 'forgiven');
      held.changed.set(textOf(fields, 'digest'), sequence);
      ledgers.signCounts.accept(countersOf(fields));
      return;
    // Written for people and auditors; nothing follows from them.
    case 'started':
    case 'refused':
      return;
  }
}

function nextRegistry({ hashes, held }: Parts, { fields, at }: RecordLine): Registry {
  const { expected } = held;
  held.expected = undefined;
  // The cooling of destinations begins with the time of the record, so a registry for another time is another registry.
  const fits = expected?.digest === textOf(fields, 'digest') && expected.at === at;
  if (expected !== undefined && fits) return expected.registry;
  const authority = textOf(fields, 'kind') === 'enrolment' ? 'operational' : 'root';
  return applyList(hashes, held.registry, { list: textOf(fields, 'list'), now: at, authority });
}

function applyGrant({ hashes, held, ledgers }: Parts, { fields, sequence, at }: RecordLine): void {
  const digest = textOf(fields, 'digest');
  const intent = held.expectedGrants.peek(digest) ?? parseIntentText(textOf(fields, 'intent'));
  if (isVaultMatter(intent)) {
    applyVaultGrant({ hashes, held, ledgers }, { fields, sequence, at, intent, digest });
    return;
  }
  if (isProof(intent)) {
    reserveProof(hashes, ledgers, { intent, digest, at });
    const unsigned = textOf(fields, 'unsigned');
    held.granted.set(attemptName(hashes, { digest, key: textOf(fields, 'key'), unsigned }), sequence);
    return;
  }
  if (!isMovement(intent)) return;
  const nonce = numberOf(fields, 'nonce');
  const name = attemptName(hashes, { digest, key: textOf(fields, 'key'), unsigned: textOf(fields, 'unsigned') });
  const from = parseAddress(textOf(fields, 'from'));
  const fee = numberOf(fields, 'fee');
  const charged = numberOf(fields, 'charged');
  const approved = textsOf(fields, 'approvedBy').length > 0;
  reserve(ledgers, { intent, digest, from, nonce, fee, charged, at, attempt: name, approved });
  ledgers.signCounts.accept(countersOf(fields));
  held.granted.set(name, sequence);
  if (intent.amount > 0n) countPayee(held, intent, at);
}

type Grant = Pick<RecordLine, 'fields' | 'sequence' | 'at'> & { readonly intent: VaultIntent; readonly digest: string };

function applyVaultGrant({ hashes, held, ledgers }: Parts, grant: Grant): void {
  const { fields, sequence, at, intent, digest } = grant;
  const signed = textOf(fields, 'signed');
  const attempt = { digest, key: textOf(fields, 'key'), unsigned: textOf(fields, 'unsigned') };
  const approved = textsOf(fields, 'approvedBy').length > 0;
  reserveVault(ledgers, { intent, digest, signed, at, approved });
  ledgers.signCounts.accept(countersOf(fields));
  held.granted.set(attemptName(hashes, attempt), sequence);
  if ('amount' in intent && intent.amount > 0n) countPayee(held, intent, at);
}

/** Once for an intent, however often it was granted. */
function countPayee(
  held: Held,
  { id, compartment, to }: { readonly id: string; readonly compartment: Compartment; readonly to: Address },
  at: bigint,
): void {
  if (held.effective.has(id)) return;
  held.effective.add(id);
  const payee = `${compartment}/${to}`;
  const earlier = held.paid.get(payee);
  held.paid.set(payee, { times: (earlier?.times ?? 0n) + 1n, first: earlier?.first ?? at });
}

/** What the grant of a signature for a vault takes. */
export type VaultReservation = VaultClaim & { readonly at: bigint; readonly approved: boolean };

/** Binds at once, as {@link reserve}. Twice is the same as once. */
export function reserveVault(
  { vaultGrants, usage, pace }: Pick<Ledgers, 'vaultGrants' | 'usage' | 'pace'>,
  taken: VaultReservation,
): void {
  const { intent, at, approved } = taken;
  const step = vaultPaceStepOf({ vaultGrants }, { intent, at, approved });
  if (step !== undefined) pace.take(step);
  vaultGrants.bind(taken, at);
  if ('amount' in intent) {
    usage.record({ series: amountSeries(intent), intent: intent.id, at, amount: intent.amount });
  }
}

/** As {@link paceStepOf}: what nobody approves has its place in the minute. A heartbeat has its hour. */
export function vaultPaceStepOf(
  { vaultGrants }: Pick<Ledgers, 'vaultGrants'>,
  { intent, at, approved }: Pick<VaultReservation, 'intent' | 'at' | 'approved'>,
): PaceStep | undefined {
  if (approved || !('compartment' in intent)) return undefined;
  const { compartment, id } = intent;
  if (intent.kind !== 'vault-invalidation') {
    return vaultGrants.isBound(id) ? undefined : { kind: 'unattended', compartment, name: id, at };
  }
  return vaultGrants.isBound(intent.cancels) ? undefined : { kind: 'free-cancel', compartment, name: id, at };
}

/** What a grant takes: its nonce, its amount and its fee, a place in its minute, and one of the attempts of its intent. */
export type Reservation = {
  readonly intent: MovementIntent;
  readonly digest: string;
  readonly from: Address;
  readonly nonce: bigint;
  /** The most that the transaction can burn, and what counts against the window: {@link chargedFor}. */
  readonly fee: bigint;
  readonly charged: bigint;
  readonly at: bigint;
  readonly attempt: string;
  /** Whether people have approved it. */
  readonly approved: boolean;
};

/** Binds at once, so that a decision made while another one waits for the hardware sees it. Twice is the same as once. */
export function reserve(
  { nonces, usage, pace, attempts }: Pick<Ledgers, 'nonces' | 'usage' | 'pace' | 'attempts'>,
  taken: Reservation,
): void {
  const { intent, digest, from, nonce, fee, charged, at, attempt, approved } = taken;
  const step = paceStepOf({ nonces }, { intent, at, approved });
  if (step !== undefined) pace.take(step);
  attempts.take({ intent: attemptsOf(intent), name: attempt, fee });
  nonces.bind(claimOf({ intent, digest, from, nonce }));
  usage.record({ series: feeSeries(intent), intent: intent.id, at, amount: charged });
  usage.record({ series: amountSeries(intent), intent: intent.id, at, amount: intent.amount });
}

/** The pace that a grant counts for: undefined for one that people approve, and for the nonce of another intent. */
export function paceStepOf(
  { nonces }: Pick<Ledgers, 'nonces'>,
  { intent, at, approved }: Pick<Reservation, 'intent' | 'at' | 'approved'>,
): PaceStep | undefined {
  const { compartment, id } = intent;
  if (intent.kind !== 'cancel') {
    return approved || nonces.isBound(id) ? undefined : { kind: 'unattended', compartment, name: id, at };
  }
  return nonces.isBound(intent.cancels) ? undefined : { kind: 'free-cancel', compartment, name: id, at };
}

/** All cancellations of one nonce are attempts of one thing: another id of the cancellation makes no more of them. */
export function attemptsOf(intent: MovementIntent): string {
  return intent.kind === 'cancel' ? `cancel ${intent.cancels}` : intent.id;
}

/**
 * What counts against the fee window. A cancellation of a nonce that nothing is bound to makes a hole in the order of the wallet's
 * transactions that only people can close, so it costs what one intent may burn at most, whatever the price of gas.
 */
export function chargedFor(
  { registry, nonces }: Pick<Knowledge, 'registry' | 'nonces'>,
  { intent, fee }: Pick<Reservation, 'intent' | 'fee'>,
): bigint {
  if (intent.kind !== 'cancel' || nonces.isBound(intent.cancels)) return fee;
  const feeMax = registry().chains.get(chainOf(intent.asset))?.feeMax ?? fee;
  return feeMax > fee ? feeMax : fee;
}

export function claimOf(at: Pick<Reservation, 'intent' | 'digest' | 'from' | 'nonce'>): Parameters<Nonces['bind']>[0] {
  const { intent, digest, from, nonce } = at;
  const claim = { intent: intent.id, digest, place: { chain: chainOf(intent.asset), from, nonce } };
  return intent.kind === 'cancel' ? { ...claim, cancels: intent.cancels } : claim;
}

export function amountSeries({
  kind,
  compartment,
  asset,
}: Pick<MovementIntent, 'compartment' | 'asset'> & { readonly kind: string }): string {
  return `${kind}/${compartment}/${asset}`;
}

/** What a relay may burn counts for the house, which carries it. */
export function houseFeeSeries(asset: MovementIntent['asset']): string {
  return feeSeries({ compartment: houseGas, asset });
}

export function feeSeries({ compartment, asset }: Pick<MovementIntent, 'compartment' | 'asset'>): string {
  return `fee/${compartment}/${chainOf(asset)}`;
}

function applyCertificate({ held, ledgers }: Parts, { fields, sequence, at }: RecordLine): void {
  const compartment = parseCompartment(Number(textOf(fields, 'compartment')));
  const key = textOf(fields, 'key');
  held.clients.set(`${compartment}/${key}`, textOf(fields, 'client'));
  const chain = textOf(fields, 'chain');
  held.certificates.set(`${compartment}/${key}/${chain}`, sequence);
  ledgers.pace.take({ kind: 'certificate', compartment, name: `${key}/${chain}`, at });
  const address = parseAddress(textOf(fields, 'address'));
  // Vaults and forwarders have no key, and so no need of gas: what may be granted to an own address is not granted to them.
  if (!key.includes('/')) held.addresses.set(compartment, (held.addresses.get(compartment) ?? new Set()).add(address));
  const looks = `${compartment}/${likeness(address)}`;
  const alike = held.alike.get(looks);
  if (alike === undefined) held.alike.set(looks, [address]);
  // One for several chains is one address.
  else if (!alike.includes(address)) alike.push(address);
}

/** Attempts are remembered by a digest of fixed length: unsigned transactions are longer, and there are millions. */
function attemptName({ sha256 }: Hashes, { digest, key, unsigned }: Attempt): string {
  return Buffer.from(sha256(Buffer.from(`${digest}/${key}/${unsigned}`, 'latin1'))).toString('base64');
}
