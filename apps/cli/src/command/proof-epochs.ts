import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type AssetId, chainOf, CustodyError, parseAssetId } from '@bulkhead/domain';
import { type Database, openDatabase } from '@bulkhead/postgres';
import {
  archived,
  archives,
  bundleEpoch,
  epochFolders,
  epochs,
  makeEpoch,
  type Progress,
  stateOf,
  type StoredEpoch,
  type Tell,
} from '@bulkhead/reserves';
import {
  besideRunning,
  type Configuration,
  evidenceFor,
  loadConfiguration,
  makeOrderOf,
  openCustody,
  type Ordered,
  reachDatabase,
  reserveMaker,
} from '@bulkhead/server';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { clientCalled, withChain } from './address.ts';

/** Pause between two lines about work that lasts. */
const progressMs = 5_000;

/** Makes the next epoch of an asset: its record and the packages of clients, and where it is asked for all files. */
export async function makeProof(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('proof', terminal.words, {
    asset: { type: 'string' },
    tier: { type: 'string' },
    block: { type: 'string' },
    declare: { type: 'string', multiple: true },
    files: { type: 'boolean' },
  });
  const asset = parseAssetId(needed('proof make', 'asset', options.asset));
  const block = options.block === undefined ? {} : { block: numberOf('block', options.block) };
  const declared = new Set((options.declare ?? []).map((word) => Number(numberOf('declare', word))));
  const configuration = await withChain(terminal, chainOf(asset));
  const proven = provenAt(configuration, asset, options.tier);
  await using opened = await withProgress(terminal, 'opening', () => openCustody(configuration));
  const { custody } = opened;
  const tell = tellsOn(terminal);
  const order = { ...(await makeOrderOf(custody, proven)), ...block, declared };
  const maker = await reserveMaker(custody, asset, { settings: configuration.proofs, tell });
  const { epoch, differences } = await makeEpoch(maker, order);
  for (const { compartment, booked, held } of differences) {
    terminal.out(
      `compartment ${compartment}: ${booked} in the books, ${held} on the chain; what the chain has is proven`,
    );
  }
  tellEpoch(terminal, epoch);
  if (options.files !== true) return exitCodes.ok;
  // Signers sign for what is pinned, so what is made by hand has their certificates and no new signature.
  const bundled = await bundleEpoch(maker, epoch.context, evidenceFor(custody, asset, undefined));
  terminal.out(`files: ${bundled.shown}`);
  return exitCodes.ok;
}

/** Where an asset is proven by the configuration. @throws UsageError where it is not, or in another tier */
function provenAt({ proofs: { registries } }: Configuration, asset: AssetId, tier: string | undefined): Ordered {
  for (const registry of registries) {
    const terms = registry.termsOf(asset);
    if (terms === undefined) continue;
    if (tier === undefined || tier === terms.tier) return { asset, registry, ...terms };
    throw new UsageError(
      `${asset} is proven in the ${terms.tier} tier, by /chains/…/proofRegistry/assets: all epochs of a registry are of one tier.`,
    );
  }
  throw new UsageError(
    `${asset} is not proven by this configuration. List it in /chains/…/proofRegistry/assets; "bulkhead help proof" says how a registry is made.`,
  );
}

function numberOf(name: string, word: string): bigint {
  if (/^(?:0|[1-9][0-9]{0,15})$/u.test(word)) return BigInt(word);
  throw new UsageError(`--${name} needs a whole number.`);
}

function tellsOn(terminal: Terminal): Tell {
  let told = Date.now();
  return (progress) => {
    if (Date.now() - told < progressMs) return;
    told = Date.now();
    terminal.err(progressLine(progress));
  };
}

function progressLine({ phase, done, total, leftMs }: Progress): string {
  const left = leftMs === undefined ? '' : `, about ${durationOf(leftMs)} left`;
  return `${phase} … ${done} of ${total}${left}`;
}

function durationOf(ms: number): string {
  const minutes = Math.ceil(ms / 60_000);
  return minutes < 2 ? `${Math.ceil(ms / 1_000)} s` : minutes < 120 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
}

function hexOf(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString('hex')}`;
}

function tellEpoch(terminal: Terminal, epoch: StoredEpoch): void {
  const { header, context, made, bundle, abandoned } = epoch;
  const { asset, epoch: number, tier, blockNumber } = header;
  terminal.out(`epoch ${number} of ${asset}: ${stateOf(epoch)}, ${tier}, at block ${blockNumber}`);
  terminal.out(`  context  ${hexOf(context)}`);
  if (made !== undefined) {
    terminal.out(`  record   ${hexOf(made.record)}`);
    terminal.out(`  reserves ${made.reserves} units of 10^${header.unitExponent}`);
  }
  if (bundle !== undefined) terminal.out(`  manifest ${hexOf(bundle.manifest)}`);
  for (const state of ['committed', 'lapsed', 'drawn', 'proven'] as const) {
    const pinned = epoch[state];
    if (pinned !== undefined) terminal.out(`  ${state.padEnd(9)}${pinned.transaction} in block ${pinned.block}`);
  }
  if (abandoned !== undefined) terminal.out(`  abandoned: ${abandoned.reason}`);
}

type Reached = AsyncDisposable & { readonly configuration: Configuration; readonly db: Database };

async function reached(terminal: Terminal): Promise<Reached> {
  const configuration = await besideRunning(loadConfiguration(terminal.folder, terminal.environment));
  await using parts = new AsyncDisposableStack();
  const database = parts.use(await reachDatabase(configuration));
  const db = parts.use(openDatabase({ ...database.access.app, connections: 1 }));
  const owned = parts.move();
  return { configuration, db, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const chosen = { asset: { type: 'string' }, epoch: { type: 'string' } } as const;

/** Says where epochs stand, newest first. */
export async function showProofs(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('proof', terminal.words, chosen);
  await using opened = await reached(terminal);
  const found = await epochs(opened.db, {
    ...(options.asset === undefined ? {} : { asset: parseAssetId(options.asset) }),
    ...(options.epoch === undefined ? {} : { epoch: numberOf('epoch', options.epoch) }),
  });
  for (const epoch of found) tellEpoch(terminal, epoch);
  if (found.length === 0) terminal.out('No such epoch was begun.');
  return found.length === 0 ? exitCodes.found : exitCodes.ok;
}

/** Writes what one client is given of an epoch. */
export async function handOutPackage(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('proof', terminal.words, {
    ...chosen,
    client: { type: 'string' },
    out: { type: 'string' },
  });
  const wanted = needed('proof package', 'client', options.client);
  const asset = parseAssetId(needed('proof package', 'asset', options.asset));
  const epoch = numberOf('epoch', needed('proof package', 'epoch', options.epoch));
  await using opened = await reached(terminal);
  const client = (await clientCalled(opened.db, wanted)) ?? wanted;
  const found = (await epochs(opened.db, { asset, epoch })).find(({ abandoned }) => abandoned === undefined);
  if (found?.made === undefined) {
    throw new CustodyError('reserves/unknown-epoch', `No epoch ${epoch} of ${asset} was made here.`);
  }
  const { kept } = epochFolders(opened.configuration.proofs.folder, found.header);
  const folder = resolve(terminal.folder, options.out ?? `proof-${epoch}-${client}`);
  const names = found.bundle === undefined ? [archives.packages] : Object.values(archives);
  const holder = new TextEncoder().encode(client);
  const files = names.flatMap((name) =>
    archived(join(kept, name), holder).map(({ compartment, kind, bytes }) => ({
      name: `${singular[name]}-${compartment}-${kind}.bin`,
      bytes,
    })),
  );
  if (files.length === 0) {
    terminal.out(`${client} has no claim in epoch ${epoch} of ${asset}.`);
    return exitCodes.found;
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const { name, bytes } of files) {
    writeFileSync(join(folder, name), bytes, { mode: 0o600 });
    terminal.out(join(folder, name));
  }
  return exitCodes.ok;
}

const singular = { packages: 'package', statements: 'statement', segregation: 'segregation' } as const;
