import { randomUUID } from 'node:crypto';
import {
  type AssetId,
  chainNumber,
  chainOf,
  CustodyError,
  decideEpoch,
  decideWindow,
  type EndedWindow,
  invariant,
  type Lapse,
  lapseOf,
  type OwnEpoch,
  parseAssetId,
  type PinnedEpoch,
  type ProofEpochStep,
  type ReserveIntent,
} from '@bulkhead/domain';
import { encodeHeader } from '@bulkhead/proofs/header';
import {
  advanceEpoch,
  epochs,
  isInRegistry,
  newestEpoch,
  provenCount,
  type ReserveStream,
  stateOf,
  type StoredEpoch,
} from '@bulkhead/reserves';
import { bytesOf } from '@bulkhead/vaults';
import { chainPort } from './cursor.ts';
import { type Custody, machine } from './custody.ts';
import { chainTime } from './chain-time.ts';
import { record } from './journal.ts';
import { actFor, carryAct, committedIntent, endAct, liveAct, lockContext, wasAsked } from './proof-act.ts';
import {
  finalProofEvent,
  lookAtRegistry,
  pinnedEpoch,
  type ProvenAsset,
  provenAsset,
  registryDifferences,
  type RegistryLook,
} from './proof-registry.ts';
import { allowedAssets } from './proof-view.ts';

/** Seconds for which one process makes an epoch without saying again that it is there. */
export const makingSeconds = 60;

export type Kept = {
  /** What was done, in the order of doing; empty where there was nothing to do. */
  readonly done: readonly string[];
  /** Why nothing goes on; empty where all is well. */
  readonly troubles: readonly string[];
};

/**
 * The job `keep-proof`: looks what the registry has of an asset at a final block, and brings the two lines of its proofs forward: a new epoch,
 * and the proof of a drawn one. Safe to run twice, at once, or after a crash at any line: each step follows from what is stored and from what
 * the registry has, and does only what is missing.
 *
 * 1. What the registry has by now is written down: committed, drawn, proven.
 * 2. A header is stored before anything is made of it; record and reserves before signers are asked; signatures before they leave.
 * 3. Only a final block says that the registry has it, whoever carried it. What came too late is given up where no signer was asked for it;
 *    else a signer may have signed it, and signs nothing else under its number: then the registry is told that it lapsed, and the next follows.
 *
 * @param asked whether somebody wants an epoch now, whatever the schedule says
 */
export async function keepProof(
  custody: Custody,
  id: string,
  { asked = false }: { readonly asked?: boolean } = {},
): Promise<Kept> {
  const asset = parseAssetId(id);
  const proven = provenAsset(custody, asset);
  const nothing = { done: [], troubles: [] };
  if (proven === undefined) return nothing;
  const look = await lookAtRegistry(custody, proven);
  if (look === undefined) return nothing;
  const keeping: Keeping = { custody, proven, look, asked, done: [], troubles: [] };
  try {
    const { chain } = proven.registry;
    const differences = await registryDifferences(chainPort(custody, chain), proven.registry, look.final);
    if (differences.length > 0) keeping.troubles.push(...differences);
    else await advance(keeping);
  } catch (error) {
    // What cannot be proven now is said, and tried again: books that do not cover claims, chains and disks that are away.
    if (!(error instanceof CustodyError) || isOurFault(error.code)) throw error;
    keeping.troubles.push(`${error.message} (${error.code})`);
  }
  await noteLook(keeping);
  return { done: keeping.done, troubles: keeping.troubles };
}

function isOurFault(code: string): boolean {
  return code === 'invariant/broken' || code.startsWith('database/');
}

type Keeping = {
  readonly custody: Custody;
  readonly proven: ProvenAsset;
  readonly look: RegistryLook;
  readonly asked: boolean;
  readonly done: string[];
  readonly troubles: string[];
};

/** What is due by its time comes first: a window is not proven late because an epoch takes long to make. */
async function advance(keeping: Keeping): Promise<void> {
  await noteCommitted(keeping);
  await noteWindows(keeping);
  await keepWindow(keeping);
  for (let steps = 0; steps < stepsMax && (await keepEpoch(keeping)); steps += 1);
}

/** Made and handed to the registry in one run. */
const stepsMax = 3;

export function streamOf({ asset, registry: { chain, registry } }: ProvenAsset): ReserveStream {
  return { asset, registryChain: BigInt(chainNumber(chain)), registry: bytesOf(registry) };
}

function contextText(epoch: StoredEpoch): string {
  return Buffer.from(epoch.context).toString('hex');
}

/** The epoch of the registry with this context, where it was begun here. */
async function ownEpoch({ custody: { db } }: Keeping, { context }: PinnedEpoch): Promise<StoredEpoch | undefined> {
  return (await epochs(db, { context: Uint8Array.from(Buffer.from(context, 'hex')) }))[0];
}

/** Writes down what the registry has of our epochs, with the transactions that it came by. */
async function noteCommitted(keeping: Keeping): Promise<void> {
  const { custody, proven } = keeping;
  const newest = await newestEpoch(custody.db, streamOf(proven));
  if (newest === undefined || stateOf(newest) !== 'made') return;
  const context = contextText(newest);
  const { epoch: number } = newest.header;
  const found =
    (await finalProofEvent(custody.db, proven, { name: 'Committed', number })) ??
    (await finalProofEvent(custody.db, proven, { name: 'Lapsed', number }));
  if (found === undefined || !('context' in found.event) || found.event.context !== `0x${context}`) return;
  const state = found.event.event === 'Lapsed' ? 'lapsed' : 'committed';
  await advanceTo(keeping, newest, { state, transaction: found.transaction, block: found.block });
  const act = await liveAct(custody.db, proven, 'commitment');
  if (act?.context === context) await endAct(custody, act, found);
}

/** From the window behind the last one that was proven here up to the one that is to be proven now. */
async function noteWindows(keeping: Keeping): Promise<void> {
  const { custody, proven, look } = keeping;
  const { window } = proven.registry.settings;
  const last = await provenCount(custody.db, streamOf(proven));
  const isKnown = (await newestEpoch(custody.db, streamOf(proven))) !== undefined;
  const behind = last === undefined ? 0n : (last - 1n) / window + 1n;
  for (let number = isKnown ? behind : look.windowsProven; number <= look.windowsProven; number += 1n) {
    await noteWindow(keeping, { name: 'Drawn', act: 'draw', state: 'drawn', number });
    await noteWindow(keeping, { name: 'Proven', act: 'proof', state: 'proven', number });
  }
}

type Noted = {
  readonly name: 'Drawn' | 'Proven';
  readonly act: 'draw' | 'proof';
  readonly state: 'drawn' | 'proven';
  readonly number: bigint;
};

async function noteWindow(keeping: Keeping, { name, act: kind, state, number }: Noted): Promise<void> {
  const { custody, proven, look } = keeping;
  const found = await finalProofEvent(custody.db, proven, { name, number });
  if (found === undefined || !('epoch' in found.event)) return;
  const pinned = await pinnedEpoch(custody, proven, { final: look.final, epoch: found.event.epoch });
  const epoch = pinned === undefined ? undefined : await ownEpoch(keeping, pinned);
  // Without our files somebody else has proven it.
  const isOurs = epoch?.committed !== undefined && (state === 'drawn' || epoch.bundle !== undefined);
  if (isOurs && epoch[state] === undefined) {
    await advanceTo(keeping, epoch, { state, transaction: found.transaction, block: found.block });
  }
  const act = await liveAct(custody.db, proven, kind);
  if (act?.window === number) await endAct(custody, act, found);
}

async function advanceTo(
  { custody, proven, done }: Keeping,
  epoch: StoredEpoch,
  step: Parameters<typeof advanceEpoch>[2],
): Promise<void> {
  await advanceEpoch(custody.db, { context: epoch.context, now: custody.clock.now() }, step);
  done.push(`Epoch ${epoch.header.epoch} of ${proven.asset} is ${step.state}.`);
}

/** The window that is to be proven: drawn as soon as its block is there, and proven with all files of what was drawn. */
async function keepWindow(keeping: Keeping): Promise<void> {
  const { custody, proven, look } = keeping;
  const { window } = look.stream;
  const { latest } = await chainPort(custody, proven.registry.chain).heads();
  const epoch = window?.drawn === undefined ? undefined : await ownEpoch(keeping, window.drawn);
  const drawn = epoch === undefined ? 'unknown' : epoch.bundle === undefined ? 'made' : 'bundled';
  const next = decideWindow({ window, head: latest.number, drawn });
  switch (next.step) {
    case 'wait':
      return;
    case 'stop':
      keeping.troubles.push(
        `Epoch ${next.epoch} of ${proven.asset} was drawn and was not made here: only who has its files can prove it. If the database was restored, bring them back.`,
      );
      return;
    case 'draw': {
      const act = await actFor(custody, proven, { kind: 'draw', window: next.number });
      if (act !== undefined) await carry(keeping, act, `window ${next.number} is drawn`);
      return;
    }
    case 'bundle':
    case 'prove':
      invariant(epoch !== undefined && window !== undefined, 'An epoch that is proven is there.');
      return proveWindow(keeping, window, epoch);
  }
}

async function proveWindow(keeping: Keeping, window: EndedWindow, drawn: StoredEpoch): Promise<void> {
  const { custody, proven } = keeping;
  const signed = (await liveAct(custody.db, proven, 'proof'))?.signatures !== undefined;
  if (!signed) await committedAgain(keeping, drawn);
  const epoch = drawn.bundle === undefined ? await bundled(keeping, drawn) : drawn;
  if (epoch?.bundle === undefined) return;
  const context = contextText(epoch);
  const proof = Buffer.from(epoch.bundle.manifest).toString('hex');
  const intent = (id: string): ReserveIntent => ({ ...place(keeping, id), kind: 'reserve-proof', context, proof });
  const act = await actFor(custody, proven, { kind: 'proof', context, window: window.number, intent });
  if (act !== undefined) await carry(keeping, act, `window ${window.number} is proven by epoch ${epoch.header.epoch}`);
}

/** A signer that was away when the epoch was committed signs nothing of it before it has: it is asked for that again, and says the same. */
async function committedAgain({ custody, proven }: Keeping, epoch: StoredEpoch): Promise<void> {
  const intent = await committedIntent(custody.db, contextText(epoch));
  if (intent !== undefined) await proven.setup.quorum.signReserves({ intent });
}

async function bundled(keeping: Keeping, epoch: StoredEpoch): Promise<StoredEpoch | undefined> {
  const { setup } = keeping.proven;
  if ((await alone(keeping, () => setup.maker.bundle(epoch))) === undefined) return undefined;
  keeping.done.push(`All files of epoch ${epoch.header.epoch} of ${keeping.proven.asset} are there.`);
  return ownEpoch(keeping, { epoch: epoch.header.epoch, context: contextText(epoch) });
}

function place(
  { custody, proven: { registry } }: Keeping,
  id: string,
): Pick<ReserveIntent, 'deployment' | 'id' | 'chain' | 'registry'> {
  return { deployment: custody.deployment, id, chain: registry.chain, registry: registry.registry };
}

async function carry(keeping: Keeping, act: Parameters<typeof carryAct>[2], what: string): Promise<void> {
  const { custody, proven } = keeping;
  const reason = await carryAct(custody, proven, act);
  if (reason === undefined) keeping.done.push(`${proven.asset}: ${what}; the house carries it.`);
  else keeping.troubles.push(reason);
}

/** One step of the newest epoch. @returns whether there may be another one at once */
async function keepEpoch(keeping: Keeping): Promise<boolean> {
  const { custody, proven, look } = keeping;
  const stored = await newestEpoch(custody.db, streamOf(proven));
  const own = stored === undefined ? undefined : await ownOf(keeping, stored);
  const { final } = look;
  const atOwn = own === undefined ? undefined : await pinnedEpoch(custody, proven, { final, epoch: own.epoch });
  const lapse = stored === undefined ? undefined : await lapseFor(keeping, stored);
  const due = keeping.asked || (await isDue(keeping));
  const next = decideEpoch({ stream: look.stream, atOwn, own, lapse, due });
  switch (next.step) {
    case 'wait':
    // The event is not booked yet: the next look has it.
    case 'pinned':
      return false;
    case 'stop':
      keeping.troubles.push(stopped(proven.asset, next));
      return false;
    case 'make':
      return make(keeping);
    case 'abandon':
      invariant(stored !== undefined, 'What is abandoned is there.');
      await abandon(keeping, stored, abandonReasons[next.because]);
      return false;
    case 'lapse':
      invariant(stored !== undefined, 'What lapses was made.');
      return commit(keeping, stored, next.because);
    case 'commit':
      invariant(stored !== undefined, 'What is committed was made.');
      return commit(keeping, stored);
  }
}

const abandonReasons: Readonly<Record<Lapse | 'taken', string>> = {
  'too-late': 'it was not committed in time',
  'block-forgotten': 'the registry cannot look up the hash of its block any more',
  taken: 'the registry has another epoch under its number',
};

function stopped(asset: AssetId, { because, epoch }: Extract<ProofEpochStep, { readonly step: 'stop' }>): string {
  return because === 'advanced-elsewhere'
    ? `The registry has an epoch ${epoch} of ${asset} that was not made here: another installation publishes there, or this database was restored. Nothing more is published before people have looked.`
    : `The registry has ${epoch} epochs of ${asset} and more were committed here: its chain began anew, or the configuration names another registry. Nothing more is published before people have looked.`;
}

async function ownOf({ custody: { db } }: Keeping, stored: StoredEpoch): Promise<OwnEpoch> {
  const own = { epoch: stored.header.epoch, context: contextText(stored) };
  if (isInRegistry(stored)) return { ...own, state: 'pinned' };
  if (stored.made === undefined) return { ...own, state: 'begun' };
  return { ...own, state: (await wasAsked(db, own.context)) ? 'asked' : 'made' };
}

/** Of two processes one may just ask signers for what the other one gives up: whoever comes second sees the first. */
async function abandon(keeping: Keeping, stored: StoredEpoch, reason: string): Promise<void> {
  const { custody, proven, done } = keeping;
  const context = contextText(stored);
  const abandoned = await custody.db.transaction(async (tx) => {
    await lockContext(tx, context);
    if (await wasAsked(tx, context)) return false;
    await advanceEpoch(tx, { context: stored.context, now: custody.clock.now() }, { state: 'abandoned', reason });
    return true;
  });
  if (abandoned) done.push(`Epoch ${stored.header.epoch} of ${proven.asset} is abandoned: ${reason}.`);
}

async function lapseFor({ custody, proven }: Keeping, { header }: StoredEpoch): Promise<Lapse | undefined> {
  const { chain, settings } = proven.registry;
  const { latest } = await chainPort(custody, chain).heads();
  return lapseOf({
    now: await chainTime(custody, chain),
    takenAt: header.takenAt,
    commitWithin: settings.commitWithin,
    head: latest.number,
    pinnedBlock: chainOf(proven.asset) === chain ? header.blockNumber : undefined,
  });
}

async function isDue({ custody, proven, look }: Keeping): Promise<boolean> {
  const { everySeconds, chain } = proven.registry;
  if (everySeconds === 0n) return false;
  const { newest, committedAt } = look.stream;
  // After one that lapsed nobody waits any longer.
  if (committedAt === undefined || newest?.lapsed === true) return true;
  return (await chainTime(custody, chain)) >= committedAt + everySeconds;
}

async function make(keeping: Keeping): Promise<boolean> {
  const { setup, asset, registry, terms } = keeping.proven;
  const making = await alone(keeping, () => setup.maker.make({ asset, registry, ...terms }));
  if (making === undefined) return false;
  const { epoch, blockNumber } = making.made.header;
  keeping.done.push(`Epoch ${epoch} of ${asset} is made at block ${blockNumber}.`);
  return true;
}

/** @param lapse why it cannot be committed any more: what signers signed of it is pinned all the same, as lapsed */
async function commit(keeping: Keeping, epoch: StoredEpoch, lapse?: Lapse): Promise<boolean> {
  const { custody, proven } = keeping;
  invariant(epoch.made !== undefined, 'What is committed was made.');
  const { record: recordHash, reserves } = epoch.made;
  const said = {
    header: Buffer.from(encodeHeader(epoch.header)).toString('hex'),
    record: Buffer.from(recordHash).toString('hex'),
    reserves,
  };
  const intent = (id: string): ReserveIntent => ({ ...place(keeping, id), kind: 'reserve-commitment', ...said });
  const act = await actFor(custody, proven, { kind: 'commitment', context: contextText(epoch), intent });
  const what = lapse === undefined ? 'is signed' : `lapsed, because ${abandonReasons[lapse]}`;
  if (act === undefined) return false;
  await carry(keeping, { ...act, lapsed: lapse !== undefined }, `epoch ${epoch.header.epoch} ${what}`);
  return false;
}

/**
 * Runs long work of an asset where no other process does. What a killed one left is taken over when its time is over; while the work goes on
 * its time is extended, so that nobody takes it away.
 *
 * @returns what it made; undefined where it was not run
 */
async function alone<T>(
  { custody, proven, done }: Keeping,
  work: () => Promise<T>,
): Promise<{ readonly made: T } | undefined> {
  const maker = randomUUID();
  const { db } = custody;
  const take = async (seconds: number): Promise<boolean> => {
    // By the clock of the database, which all processes share.
    const taken = await db.query(
      `insert into custody.proof_maker as m (asset, maker, held_until) values ($1, $2, now() + make_interval(secs => $3))
       on conflict (asset) do update set maker = excluded.maker, held_until = excluded.held_until
       where m.held_until < now() or m.maker = excluded.maker returning maker`,
      [proven.asset, maker, seconds],
    );
    return taken.length > 0;
  };
  if (!(await take(makingSeconds))) {
    done.push(`Another process makes an epoch of ${proven.asset} now.`);
    return undefined;
  }
  const extending = setInterval(
    () => {
      // One that fails is made up for by the next one, long before the time is over.
      take(makingSeconds).catch(() => undefined);
    },
    (makingSeconds * 1_000) / 4,
  );
  try {
    return { made: await work() };
  } finally {
    clearInterval(extending);
    await take(0);
  }
}

/** Assets that are allowed and proven somewhere: each has a job of its own. */
export async function provenAssets(custody: Custody): Promise<readonly AssetId[]> {
  if (custody.proofs === undefined) return [];
  return (await allowedAssets(custody.db)).filter((asset) => provenAsset(custody, asset) !== undefined);
}

async function noteLook({ custody, proven, look, troubles }: Keeping): Promise<void> {
  const { chain, registry } = proven.registry;
  const { newest, window, committedAt } = look.stream;
  const trouble = troubles.length === 0 ? null : troubles.join(' ');
  const now = custody.clock.now();
  await custody.db.transaction(async (tx) => {
    const [before] = await tx.query('select trouble from custody.proof_clock where asset = $1 for update', [
      proven.asset,
    ]);
    await tx.query(
      `insert into custody.proof_clock (asset, chain, registry, epoch, committed_at, fresh, window_ended_at, trouble, looked_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
       on conflict (asset) do update set chain = excluded.chain, registry = excluded.registry, epoch = excluded.epoch,
         committed_at = excluded.committed_at, fresh = excluded.fresh, window_ended_at = excluded.window_ended_at,
         trouble = excluded.trouble, looked_at = excluded.looked_at`,
      [
        proven.asset,
        chain,
        registry,
        newest?.epoch ?? 0n,
        committedAt ?? 0n,
        look.fresh,
        window?.endedAt ?? 0n,
        trouble,
        now,
      ],
    );
    if (trouble === null || before?.['trouble'] === trouble) return;
    await record(tx, now, {
      actor: machine,
      subject: chain,
      event: 'proof-stands-still',
      data: { asset: proven.asset, trouble },
    });
  });
}
