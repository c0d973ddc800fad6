import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DevelopmentNode, openDevelopmentNode } from '@bulkhead/chain-evm/testing';
import { migrateWorker, migrationSources } from '@bulkhead/custody';
import { type Address, type Approval, type ChainId, nativeAsset, parseAddress } from '@bulkhead/domain';
import { logMigrations } from '@bulkhead/log';
import { type TestDatabase, testDatabase } from '@bulkhead/postgres/testing';
import { checkConfiguration, type Configuration, embeddedChainId } from '../src/config.ts';
import { approvalBy } from '../src/development/people.ts';
import { developmentTokens } from '../src/development-secrets.ts';
import { openLog } from '../src/log.ts';
import { type RunningServer, startServer } from '../src/wire.ts';
import { type VerifierKey, verifierKey } from '@bulkhead/tlog';

export const chain: ChainId = embeddedChainId;
export const ether = nativeAsset(chain);
/** 10^18 wei. */
export const coin = 10n ** 18n;
const waitMsMax = 60_000;

/** What the API answers, as far as these tests look at it. */
export type Seen = {
  readonly id: string;
  readonly code: string;
  readonly state: string;
  readonly chainState: string;
  readonly type: string;
  readonly verdict: string | null;
  readonly reference: string;
  readonly asset: string;
  readonly address: string;
  readonly derivationPath: string;
  readonly compartment: number;
  readonly amount: string;
  readonly available: string;
  readonly held: string;
  readonly feePayable: string;
  readonly feeMax: string;
  readonly feePaid: string;
  readonly books: string;
  readonly onChain: string;
  readonly breaksCount: number;
  readonly transactionHash: string;
  readonly dispatchId: string | null;
  readonly releasedBy: string;
  readonly chargedBy: string;
  readonly allowedBy: string;
  readonly finality: { readonly rule: string };
  readonly approvals: readonly { readonly by: string }[];
  readonly sources: readonly { readonly healthy: boolean }[];
  readonly items: readonly Seen[];
  readonly nextCursor: string | null;
  readonly reason: string | null;
  readonly anchor: { readonly leaves: number; readonly digest: string } | null;
  readonly version: string | null;
  readonly intent: { readonly canonical: string; readonly digest: string; readonly approvalLink: string | null };
};

export type Reply = { readonly status: number; readonly body: Seen; readonly headers: Headers };
export type Signatory = 'admin' | 'operator' | 'approver-1' | 'approver-2';
export type Person = Signatory | 'auditor';

/** The API as people with tokens use it. */
export class Desk {
  readonly #url: string;
  readonly tokens: ReadonlyMap<string, string>;
  readonly #peopleDirectory: string;

  constructor(url: string, tokens: ReadonlyMap<string, string>, peopleDirectory: string) {
    this.#url = url;
    this.tokens = tokens;
    this.#peopleDirectory = peopleDirectory;
  }

  /** What a person signs who reads the text of an intent. */
  async signature(person: Signatory, canonical: string): Promise<Approval> {
    return approvalBy(this.#peopleDirectory, person, canonical);
  }

  async get(path: string, person: Person = 'auditor'): Promise<Seen> {
    const reply = await this.ask('GET', path, { person });
    assert.equal(reply.status, 200, `GET ${path}: ${JSON.stringify(reply.body)}`);
    return reply.body;
  }

  /** A write that has to be done. */
  async post(path: string, body: object | undefined, person: Person): Promise<Seen> {
    const reply = await this.ask('POST', path, { person, body, key: randomUUID() });
    assert.ok(reply.status < 300, `POST ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return reply.body;
  }

  async ask(
    method: string,
    path: string,
    ask: { person: Person; body?: object | undefined; key?: string },
  ): Promise<Reply> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.tokens.get(ask.person) ?? ''}` };
    if (ask.key !== undefined) headers['idempotency-key'] = ask.key;
    if (ask.body !== undefined) headers['content-type'] = 'application/json';
    const response = await fetch(this.#url + path, {
      method,
      headers,
      ...(ask.body === undefined ? {} : { body: JSON.stringify(ask.body) }),
    });
    const body: Seen = JSON.parse(await response.text());
    return { status: response.status, body, headers: response.headers };
  }
}

/** The one or the first of a list that must not be empty. */
export function firstOf<Item>(items: readonly Item[]): Item {
  const [first] = items;
  assert.ok(first !== undefined, 'The list is empty.');
  return first;
}

/** Waits until something is so. */
export async function until<Value>(what: string, look: () => Promise<Value | undefined | false>): Promise<Value> {
  for (let waitedMs = 0; waitedMs < waitMsMax; waitedMs += 50) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await sleep(50);
  }
  assert.fail(`Waited ${waitMsMax / 1000} s for ${what}.`);
}

export type House = AsyncDisposable & {
  readonly database: TestDatabase;
  readonly configuration: Configuration;
  readonly server: RunningServer;
  readonly desk: Desk;
  readonly node: DevelopmentNode;
  /** An account of the node with coin, outside of custody. */
  readonly stranger: Address;
};

/** What a server puts into its database at the first start, which takes it most of a second; the tests of starting leave that to it. */
const migrations = [...migrationSources, logMigrations];
const addition = { name: 'job queue', into: migrateWorker };

/** A server on a real PostgreSQL and a real node of its own, in a folder of its own unless one is given that has its signers. */
export async function openHouse(content: object = {}, given?: string): Promise<House> {
  const folder = given ?? mkdtempSync(join(tmpdir(), 'bulkhead-house-'));
  const parts = new AsyncDisposableStack();
  if (given === undefined) parts.defer(() => rmSync(folder, { recursive: true, force: true }));
  const database = parts.use(await testDatabase({ connections: 4, migrations, addition }));
  const environment = { DATABASE_URL: database.urls.app, DATABASE_OWNER_URL: database.urls.owner, BULKHEAD_PORT: '0' };
  const chains = [{ id: chain, development: true, pollMs: 50 }];
  const { configuration, problems } = checkConfiguration({
    folder,
    environment,
    content: { chains, logLevel: 'error', approvalPage: 'https://approve.example', vaultSigners: 0, ...content },
  });
  assert.ok(configuration !== undefined, JSON.stringify(problems));
  const server = parts.use(await startServer(configuration, { log: openLog('error') }));
  const tokens = new Map(developmentTokens(configuration).map(({ name, token }) => [name, token]));
  const node = openDevelopmentNode(server.chains.get(chain)?.embeddedUrl ?? '');
  const [stranger] = await node.accounts();
  assert.ok(stranger !== undefined);
  return {
    database,
    configuration,
    server,
    desk: new Desk(server.url, tokens, peopleDirectory(configuration.dataDirectory)),
    node,
    stranger,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

export const agreement = {
  parties: 'The custodian and the client',
  service: 'Custody',
  custodyPolicy: 'Apart in keys, chain and books',
  communication: 'API',
  security: 'Four eyes',
  fees: 'None',
  applicableLaw: 'Of the custodian',
  signedAt: '2026-01-02T09:00:00Z',
};

export type Admitted = { readonly id: string; readonly address: Address; readonly compartment: number };

/** A client with an agreement and an address. */
export async function admit(
  desk: Desk,
  reference: string,
  segregation: 'individual' | 'omnibus' = 'individual',
): Promise<Admitted> {
  const client = await desk.post('/v1/clients', { reference, kind: 'legal', segregation }, 'operator');
  await desk.post(`/v1/clients/${client.id}/agreements`, agreement, 'operator');
  const wallet = await desk.post(`/v1/clients/${client.id}/wallets`, { chain }, 'operator');
  return { id: client.id, address: parseAddress(wallet.address), compartment: wallet.compartment };
}

/** Pays from outside, waits for finality, and has two people release it. */
export async function deposit(house: House, client: Admitted, wei: bigint): Promise<Seen> {
  const { desk, node, stranger } = house;
  const { hash } = await node.send({ from: stranger, to: client.address, value: wei });
  const found = await until('the deposit to be final', async () => {
    const { items } = await desk.get(`/v1/deposits?clientId=${client.id}&state=final`);
    return items.find((one) => one.transactionHash === hash && one.verdict !== null);
  });
  await desk.post(`/v1/deposits/${found.id}/release`, undefined, 'approver-1');
  return desk.post(`/v1/deposits/${found.id}/release`, undefined, 'approver-2');
}

/** Where the development people keep their approver keys. */
export function peopleDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'people');
}

/** Clients that the signer knows of, for each API. A client is listed once. */
const enrolled = new WeakMap<ReadonlyMap<string, string>, Set<string>>();

/** Enrols a client with the signer, and destinations of it: one list, and the signature of two people. */
export async function enrol(desk: Desk, client: Admitted, ...destinations: readonly Address[]): Promise<void> {
  const known = enrolled.get(desk.tokens) ?? new Set();
  enrolled.set(desk.tokens, known);
  const { id, compartment } = client;
  const items = [
    ...(known.has(id) ? [] : [{ item: 'client', client: id, compartment }]),
    ...destinations.map((address) => {
      const label = `Own wallet ${address.slice(0, 10)}`;
      return { item: 'destination', client: id, compartment, chain, address, label };
    }),
  ];
  known.add(id);
  await changeRegistry(desk, 'enrolment', items);
}

/** Proposes a list of changes and has two people agree to it. */
export async function changeRegistry(desk: Desk, kind: string, items: readonly object[]): Promise<Seen> {
  const change = await desk.post('/v1/registry-changes', { kind, items }, 'admin');
  for (const person of ['approver-1', 'approver-2'] as const) {
    const approval = await desk.signature(person, change.intent.canonical);
    await desk.post(`/v1/registry-changes/${change.id}/approvals`, { approval }, person);
  }
  return until('the registry to be changed', async () => {
    const made = await desk.get(`/v1/registry-changes/${change.id}`);
    assert.ok(made.state === 'open' || made.state === 'applied', made.reason ?? made.state);
    return made.state === 'applied' && made;
  });
}

/** The canonical text that people sign for a withdrawal. */
export async function textOf(desk: Desk, id: string): Promise<string> {
  return (await desk.get(`/v1/withdrawals/${id}/intent`)).intent.canonical;
}

/** The requester's own signature. */
export async function signRequest(desk: Desk, id: string): Promise<void> {
  const approval = await desk.signature('operator', await textOf(desk, id));
  await desk.post(`/v1/withdrawals/${id}/signature`, { approval }, 'operator');
}

export async function approveBy(desk: Desk, person: Signatory, id: string): Promise<Seen> {
  const approval = await desk.signature(person, await textOf(desk, id));
  return desk.post(`/v1/withdrawals/${id}/approvals`, { approval }, person);
}

/** Releases a withdrawal from screening, has its requester sign it and two others approve it. */
export async function approve(desk: Desk, id: string): Promise<void> {
  await until(
    'the withdrawal to be screened',
    async () => (await desk.get(`/v1/withdrawals/${id}`)).state === 'screened',
  );
  await desk.post(`/v1/withdrawals/${id}/release`, undefined, 'approver-1');
  await signRequest(desk, id);
  await approveBy(desk, 'approver-1', id);
  await approveBy(desk, 'approver-2', id);
}

export async function settled(desk: Desk, id: string): Promise<Seen> {
  return until('the withdrawal to be settled', async () => {
    const view = await desk.get(`/v1/withdrawals/${id}`);
    return view.state === 'settled' && view;
  });
}

/** What the node says an address has, in wei. */
export async function onChain(node: DevelopmentNode, address: Address): Promise<bigint> {
  return BigInt(String(await node.call('eth_getBalance', address, 'latest')));
}

/** The key that the signer signs the audit log with. */
export async function logKeyOf({ reached }: Pick<RunningServer, 'reached'>): Promise<VerifierKey> {
  const { origin, publicKey } = await reached.signer.logKey();
  return verifierKey(origin, 'ed25519', Uint8Array.from(Buffer.from(publicKey, 'hex')));
}
