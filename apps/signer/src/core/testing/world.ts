import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listText } from '@bulkhead/authority';
import {
  type Address,
  type Compartment,
  type Evidence,
  type Intent,
  isMovement,
  type KeyRef,
  type MovementIntent,
  type RegistryChange,
  type SignRequest,
} from '@bulkhead/domain';
import { deriveAddress } from '@bulkhead/keys';
import { nativeHashes } from '../../process/native-hashes.ts';
import { createState } from '../genesis.ts';
import type { SignerCore, SignerCoreOptions } from '../options.ts';
import { openSignerCore } from '../signer-core.ts';
import { type TestDriver, testDriver, type TestHeads, testHeads, testIdentity, testLogKey } from './keys.ts';
import * as registry from './registry.ts';
import { encode, partsOf, type TransactionParts } from './transaction.ts';

/** A clock that people set. Seconds since 1970. */
export type TestClock = { readonly now: () => Date; seconds: bigint };

export const beginning = 1_800_000_000n;

export type World = AsyncDisposable & {
  readonly directory: string;
  readonly clock: TestClock;
  readonly driver: TestDriver;
  readonly heads: readonly [TestHeads, TestHeads];
  readonly options: SignerCoreOptions;
  readonly core: () => SignerCore;
  /** Ends the process, in so far as a test has one, and starts it on what it left. */
  restart(options?: Restart): Promise<SignerCore>;
  stop(): Promise<void>;
  address(compartment: Compartment, index: number): Address;
  /** Evidence that a movement or a change needs, by honest people. */
  approved(intent: Intent): Evidence;
};

/** What is otherwise than before. */
export type Restart = Partial<SignerCoreOptions> & { readonly withoutLogKey?: boolean };

/** A signer after its ceremony, with two clients enrolled and the cooling of their destinations over. */
export async function openWorld(given: Partial<SignerCoreOptions> = {}): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-signer-'));
  const clock: TestClock = { seconds: beginning, now: () => new Date(Number(clock.seconds) * 1_000) };
  const driver = testDriver();
  const heads = [testHeads('slot-1'), testHeads('slot-2')] as const;
  const identities = given.identities ?? [testIdentity()];
  const stores = given.heads ?? heads;
  const monotonic = (): bigint => clock.seconds;
  const base = { stateDirectory: directory, identities, heads: stores, hashes: nativeHashes(), clock, monotonic };
  const options: SignerCoreOptions = { ...base, drivers: { tree: driver }, logKey: testLogKey(), ...given };
  const list = listText(registry.genesisItems);
  await createState({ ...base, genesis: { deployment: registry.deployment, list } });
  let core: SignerCore | undefined = await openSignerCore(options);
  const xpubs = new Map<Compartment, string>();
  for (const compartment of Object.values(registry.compartments)) {
    xpubs.set(compartment, (await driver.accountXpub?.(compartment)) ?? '');
  }
  const world: World = {
    directory,
    clock,
    driver,
    heads,
    options,
    core() {
      if (core === undefined) throw new Error('The signer of this test is stopped.');
      return core;
    },
    async stop() {
      await core?.[Symbol.asyncDispose]();
      core = undefined;
    },
    async restart({ withoutLogKey = false, ...changed } = {}) {
      await world.stop();
      const { logKey, ...rest } = options;
      const kept = withoutLogKey || logKey === undefined ? rest : options;
      core = await openSignerCore({ ...kept, ...changed });
      return core;
    },
    address: (compartment, index) => deriveAddress({ compartment, xpub: xpubs.get(compartment) ?? '' }, index),
    approved: approvedBy,
    async [Symbol.asyncDispose]() {
      await world.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await enrol(world);
  return world;
}

function approvedBy(intent: Intent): Evidence {
  const { anna, ben, olga } = registry.people;
  const approvals = [anna.approve(intent), ben.approve(intent)];
  const requested = isMovement(intent) || intent.kind === 'vault-withdrawal';
  return requested ? { request: olga.approve(intent), approvals } : { approvals };
}

async function enrol(world: World): Promise<void> {
  const id = 'en_first';
  await world.core().change(change(world, { kind: 'enrolment', items: registry.enrolmentItems, id }));
  world.clock.seconds += registry.coolingSeconds;
}

export type ChangeOptions = {
  readonly kind: 'enrolment' | 'policy-change';
  readonly items: Parameters<typeof registry.listed>[1];
  readonly id: string;
  readonly before?: bigint;
};

/** A change of the registry with the evidence that it needs. */
export function change(world: World, { kind, items, id, before = 1n }: ChangeOptions): RegistryChange {
  const expiresAt = world.clock.seconds + 3_600n;
  const { intent, list } = registry.listed(kind, items, { id, before, expiresAt });
  return { intent, list, evidence: world.approved(intent) };
}

type Withdrawal = Extract<MovementIntent, { readonly kind: 'withdrawal' | 'deposit-return' }>;

export function withdrawal(world: World, own: Partial<Withdrawal> = {}): Withdrawal {
  return {
    deployment: registry.deployment,
    kind: 'withdrawal',
    id: 'wd_one',
    compartment: registry.compartments.first,
    client: registry.clientOne,
    asset: registry.ether,
    to: registry.exchange,
    amount: registry.oneEther,
    feeMax: 1_000_000n,
    feePayer: 'client',
    expiresAt: world.clock.seconds + 600n,
    ...own,
  };
}

export type RequestOptions = {
  readonly nonce?: bigint;
  readonly key?: KeyRef;
  readonly evidence?: Evidence;
  readonly parts?: Partial<TransactionParts>;
  readonly unsigned?: Uint8Array;
};

/** The honest request to sign for an intent, but for what is said otherwise. */
export function request(world: World, intent: MovementIntent, own: RequestOptions = {}): SignRequest {
  const { nonce = intent.kind === 'cancel' ? intent.nonce : 0n } = own;
  const parts = { ...partsOf({ ...intent, nonce }), ...own.parts };
  const needed = intent.kind === 'withdrawal' || intent.kind === 'deposit-return';
  return {
    intent,
    evidence: own.evidence ?? (needed ? world.approved(intent) : { approvals: [] }),
    key: own.key ?? { compartment: intent.compartment, index: 0 },
    unsigned: own.unsigned ?? encode(parts),
  };
}
