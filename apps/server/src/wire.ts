import { createServer } from 'node:net';
import { join } from 'node:path';
import { createApi, type Operations } from '@bulkhead/api';
import { auditorReadings, type Custody, migrateAll, notePolicy, runJobs, startChain } from '@bulkhead/custody';
import { type ChainId, type Clock, CustodyError } from '@bulkhead/domain';
import { logMigrations } from '@bulkhead/log';
import { deriveAddress } from '@bulkhead/keys/derivation';
import { verifyAccount, verifyDepositAddress, verifyRecord, verifyWallet } from '@bulkhead/signer-client';
import { type Database, databaseAccess, type DatabaseAccess, openDatabase, startEmbedded } from '@bulkhead/postgres';
import { gaugeLog, newestAnchor, startAuditLog } from './audit-log.ts';
import { chainBoard, type ChainBoard } from './chain-board.ts';
import { openChains, type OpenedChain, startNodes } from './chains.ts';
import type { Configuration } from './config.ts';
import { tokensOf } from './development-secrets.ts';
import { type Events, eventsOf } from './events.ts';
import { allowConfigured, holdKeysAgainstBooks } from './first-start.ts';
import { startFollowers } from './followers.ts';
import { type Log, openLog } from './log.ts';
import { createMetrics, gaugeBooks, gaugeProofs, gaugeSigners, type Metrics } from './metrics.ts';
import { notScreened } from './not-screened.ts';
import { folderBusy, folderFault, lockFolder } from './folder.ts';
import { operationsOver } from './operations.ts';
import type { StartedPart, Tell } from './part.ts';
import { pageHost, pagePort, serveDevelopmentPage } from './development/page.ts';
import { holdRegistries } from './proof-registry.ts';
import { proofsOver } from './proofs.ts';
import { publicReservesIn } from './public-reserves.ts';
import { readinessOf } from './readiness.ts';
import { startReconciling } from './reconciling.ts';
import { noteRunning } from './running.ts';
import { startSignerRetries } from './signer-retries.ts';
import type { ReachedSigner, ReachedSigners } from './reached-signer.ts';
import { reachSigners } from './signer.ts';
import { vaultsOver } from './vaults.ts';

export type StartOptions = {
  /** Told of every part as it comes up. */
  readonly onPart?: (part: StartedPart) => void;
  readonly log?: Log;
};

/** Everything below the API: enough for a command that does one thing. */
export type OpenedCustody = AsyncDisposable & {
  readonly custody: Custody;
  readonly board: ChainBoard;
  /** Each chain with the addresses of its sources; an embedded one is reached there too. */
  readonly chains: ReadonlyMap<ChainId, OpenedChain>;
  /** How owner and application reach the database. */
  readonly access: DatabaseAccess;
  /** The processes that sign, and who of them is believed. */
  readonly reached: ReachedSigners;
};

/** A server that answers. */
export type RunningServer = OpenedCustody & {
  /** Address of the API, without a slash at its end. */
  readonly url: string;
  readonly operations: Operations;
  /** File with the tokens that were made, undefined where they are configured. */
  readonly tokensMadeAt: string | undefined;
  /** Stops taking requests, ends what is under way, then everything behind it, in the reverse order of the start. */
  stop(): Promise<void>;
};

const clock: Clock = { now: () => new Date() };

/**
 * Opens database and chains, reaches the signer, and puts custody together over them. Nothing runs by itself yet.
 *
 * @throws CustodyError one sentence on what is missing and what to do
 */
export async function openCustody(configuration: Configuration, tell: Tell = () => undefined): Promise<OpenedCustody> {
  await using parts = new AsyncDisposableStack();
  await lockFolder(configuration, parts);
  const access = await startDatabase(configuration, parts, tell);
  await migrateAll(access.owner, [logMigrations]);
  const db = parts.use(openDatabase({ ...access.app, connections: configuration.database.connections }));
  const nodes = await startNodes(configuration, { parts, tell });
  const chains = await openChains(configuration, { db, nodes, tell });
  await holdRegistries(configuration.proofs.registries, new Map([...chains].map(([id, { port }]) => [id, port])));
  const reached = await reachSigners(configuration, { parts, tell, nodes });
  const custody = custodyOf(configuration, { db, reached, chains });
  const board = chainBoard(custody, chains);
  await holdKeysAgainstBooks(custody, reached.pinned);
  await allowConfigured(custody, board, configuration.assets);
  const owned = parts.move();
  return { custody, board, chains, access, reached, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/**
 * Puts the product together and starts it, from the ground up: database, migrations, signer, chains, custody, jobs, followers,
 * API. What fails ends what was started before it, in reverse, and is thrown.
 *
 * @throws CustodyError one sentence on what is missing and what to do
 */
export async function startServer(configuration: Configuration, options: StartOptions = {}): Promise<RunningServer> {
  await using parts = new AsyncDisposableStack();
  const log = options.log ?? openLog(configuration.logLevel);
  const metrics = createMetrics();
  const events = eventsOf(log, metrics);
  const tell = (part: StartedPart): void => {
    events.partStarted(part);
    options.onPart?.(part);
  };
  await claimPorts(configuration);
  const opened = parts.use(await openCustody(configuration, tell));
  const { custody, board } = opened;
  await notePolicy(custody);
  for (const { id, startBlock } of configuration.chains) await startChain(custody, id, startBlock);
  const jobs = await startJobs(configuration, { custody, access: opened.access, events, parts });
  const followers = startFollowers(custody, configuration.chains, { board, events });
  parts.defer(() => followers.stop());
  parts.use(startReconciling(custody, configuration.schedule.reconcileMinutes, log));
  parts.use(startSignerRetries(custody, log));
  const { db } = custody;
  const { reached } = opened;
  const auditLog = parts.use(await startAuditLog(configuration, { db, reached, log, tell }));
  gaugeLog(metrics.registry, db, auditLog);
  gaugeBooks(metrics.registry, custody, board);
  gaugeSigners(metrics.registry, custody, opened.reached);
  gaugeProofs(metrics.registry, custody);
  const operations = operationsOver(custody, {
    board,
    reached: opened.reached,
    proofsFolder: configuration.proofs.folder,
    approvalPage: await pageAddress(configuration, { reached: opened.reached, parts, tell }),
    witnessesMin: configuration.log.witnessesMin,
  });
  const vitals = { custody, board, jobsRunning: jobs.running, reached: opened.reached, auditLog };
  const { url, tokensMadeAt } = await listen(configuration, { operations, metrics, events, log, vitals, parts, tell });
  parts.use(noteRunning(configuration, { url, ...opened }));

  const owned = parts.move();
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    events.stopping('asked to');
    stopping ??= owned.disposeAsync();
    return stopping;
  };
  return { ...opened, url, operations, tokensMadeAt, stop, [Symbol.asyncDispose]: stop };
}

/** Finds out at once who will not be able to listen, before anything is started that would then have to be ended. */
async function claimPorts(configuration: Configuration): Promise<void> {
  // Of two starts on one folder the second is told about the folder, which explains the ports as well.
  if (await folderBusy(configuration)) throw folderFault(configuration);
  await claim(apiPlace(configuration));
  const { approvalPage: page, http } = configuration;
  if (page.kind === 'development') {
    await claim({
      who: 'The approval page',
      host: pageHost,
      port: pagePort(page, http.port),
      otherwise: 'choose another port in /approvalPage/port; without that it is the one above that of the API',
    });
  }
}

type Place = { readonly who: string; readonly host: string; readonly port: number; readonly otherwise: string };

function apiPlace({ http: { host, port } }: Configuration): Place {
  return { who: 'The API', host, port, otherwise: 'choose another port with --port or BULKHEAD_PORT' };
}

async function claim(place: Place): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const server = createServer();
    server.once('error', (cause) => reject(portFault(place, cause)));
    server.listen(place.port, place.host, () => server.close(() => resolve()));
  });
}

function portFault({ who, host, port, otherwise }: Place, cause: unknown): CustodyError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'EADDRINUSE') {
    const message = `${who} cannot listen on ${host}:${port}: another program does. Stop that program, or ${otherwise}.`;
    return new CustodyError('platform/port-taken', message, { details: { port }, cause });
  }
  const message = `${who} cannot listen on ${host}:${port} (${String(code)}). Choose an address of this machine and a port that this user may open.`;
  return new CustodyError('platform/port-taken', message, { details: { port }, cause });
}

type PageParts = { readonly reached: ReachedSigner; readonly parts: AsyncDisposableStack; readonly tell: Tell };

/** Where the links of intents lead. */
async function pageAddress(
  { approvalPage: page, http }: Configuration,
  { reached, parts, tell }: PageParts,
): Promise<string | undefined> {
  if (page.kind === 'none') return undefined;
  if (page.kind === 'address') return page.address;
  const { directory, name } = page;
  const order = { directory, name, port: pagePort(page, http.port), pins: reached.pinned };
  return parts.use(await serveDevelopmentPage(order, tell)).origin;
}

async function startDatabase(
  configuration: Configuration,
  parts: AsyncDisposableStack,
  tell: Tell,
): Promise<DatabaseAccess> {
  const { database, dataDirectory } = configuration;
  if (database.kind === 'embedded') {
    const server = parts.use(await startEmbedded({ directory: join(dataDirectory, 'postgres') }));
    tell({
      part: 'database',
      what: 'Embedded PostgreSQL, for development',
      where: `127.0.0.1:${server.port}, data in ${join(dataDirectory, 'postgres')}`,
    });
    return server.access;
  }
  const { url, ownerUrl } = database;
  const access = databaseAccess({ url, ...(ownerUrl === undefined ? {} : { ownerUrl }) });
  const rights = access.separated
    ? ''
    : '; DATABASE_OWNER_URL is not set, so one login owns the tables and runs the server: set it in production';
  tell({ part: 'database', what: 'PostgreSQL of DATABASE_URL', where: `${new URL(url).host}${rights}` });
  return access;
}

/** Reaches the database alone, starting it where it is embedded; for commands that need no chain. Migrates nothing. */
export async function reachDatabase(
  configuration: Configuration,
): Promise<AsyncDisposable & { readonly access: DatabaseAccess }> {
  await using parts = new AsyncDisposableStack();
  await lockFolder(configuration, parts);
  const access = await startDatabase(configuration, parts, () => undefined);
  const owned = parts.move();
  return { access, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

type CustodyParts = {
  readonly db: Database;
  readonly reached: ReachedSigners;
  readonly chains: ReadonlyMap<ChainId, OpenedChain>;
};

function custodyOf(configuration: Configuration, { db, reached, chains }: CustodyParts): Custody {
  const vaults = vaultsOver(configuration, { db, reached });
  const proofs =
    vaults &&
    proofsOver(configuration, {
      registries: reached.proofRegistries,
      quorum: vaults.quorum,
      custody: () => custody,
    });
  const custody: Custody = {
    ...(proofs === undefined ? {} : { proofs }),
    db,
    chains: new Map([...chains].map(([id, { port }]) => [id, port])),
    deployment: reached.pinned.deployment,
    // Where there are several, all of them must know the registry.
    signer: vaults?.quorum ?? reached.signer,
    ...(vaults === undefined ? {} : { vaults }),
    verifyAccount: (account) => verifyAccount(account, reached.pinned),
    verifyWallet: (wallet) => verifyWallet(wallet, reached.pinned),
    verifyDepositAddress: (address) => verifyDepositAddress(address, reached.pinned),
    verifyRecord: (record) => {
      verifyRecord(record, reached.pinned.identities);
    },
    deriveAddress,
    anchor: () => newestAnchor(db, configuration.log.witnessesMin),
    screening: notScreened,
    clock,
    policy: {
      ...configuration.policy,
      feeCaps: new Map(configuration.chains.map(({ id, fees }) => [id, fees])),
      agreement: new Map([...chains].map(([id, { names, required }]) => [id, { sources: names, required }])),
    },
  };
  return custody;
}

type JobParts = {
  readonly custody: Custody;
  readonly access: DatabaseAccess;
  readonly events: Events;
  readonly parts: AsyncDisposableStack;
};

async function startJobs(
  configuration: Configuration,
  { custody, access, events, parts }: JobParts,
): Promise<{ readonly running: () => boolean }> {
  const { url, role } = access.app;
  const jobs = parts.use(
    await runJobs(custody, {
      connectionString: url,
      ...(role === undefined ? {} : { role }),
      jobsAtOnce: configuration.schedule.jobsConcurrently,
      log: events.jobLogged,
    }),
  );
  let running = true;
  const ended = (): void => {
    running = false;
  };
  jobs.ended.then(ended, ended);
  return { running: () => running };
}

type ApiParts = {
  readonly operations: Operations;
  readonly metrics: Metrics;
  readonly events: Events;
  readonly log: Log;
  readonly vitals: Parameters<typeof readinessOf>[0];
  readonly parts: AsyncDisposableStack;
  readonly tell: Tell;
};

async function listen(
  configuration: Configuration,
  api: ApiParts,
): Promise<{ readonly url: string; readonly tokensMadeAt: string | undefined }> {
  const { host, port, hosts } = configuration.http;
  const { tokens, madeAt } = tokensOf(configuration);
  const app = await createApi({
    operations: api.operations,
    tokens,
    logger: api.log,
    hosts,
    readiness: () => readinessOf(api.vitals),
    publicLog: api.vitals.auditLog.publicLog,
    publicReserves: publicReservesIn(configuration.proofs.folder),
    metrics: () => api.metrics.registry.metrics(),
    onAnswer: api.events.answered,
    onAuditorRead: auditorReadings(api.vitals.custody),
  });
  api.parts.defer(() => app.close());
  if (madeAt !== undefined) {
    api.tell({ part: 'tokens', what: 'Tokens of the API, made for development', where: madeAt });
  }
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw portFault(apiPlace(configuration), error);
  }
  const address = app.server.address();
  const taken = typeof address === 'object' && address !== null ? address.port : port;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${taken}`;
  api.tell({ part: 'api', what: 'API, documented at /docs', where: url });
  return { url, tokensMadeAt: madeAt };
}
