import { parseStatement, type RecordLine } from '@bulkhead/authority';
import { CustodyError, type SignedStatement, type SignerStatus } from '@bulkhead/domain';
import type { IdentityKey } from '@bulkhead/keys';
import { createPublicKey, verify } from 'node:crypto';
import { openAddresses } from './addresses.ts';
import { approvalVerifier } from './approvals.ts';
import { openArrivals } from './arrivals.ts';
import { certifiedAccount, certifiedWallet, certifyAddress } from './certify.ts';
import { changeRegistry, recoverState } from './change.ts';
import { openCommitter } from './commit.ts';
import type { CoreParts } from './core-parts.ts';
import { openSigning } from './decision.ts';
import { openGate } from './gate.ts';
import { type Knowledge, openKnowledge } from './knowledge.ts';
import { lodge } from './lodging.ts';
import { openStateLog, type StateLog } from './log.ts';
import { coreLimitDefaults, type SignerCore, type SignerCoreOptions } from './options.ts';
import { outlookOf } from './outlook.ts';
import { certifiedLogKey, openCheckpointSigning } from './checkpoint-decision.ts';
import { openControlSigning } from './control-decision.ts';
import { openReserveSigning } from './reserve-decision.ts';
import { openRefusals } from './refusals.ts';
import { openSignatures } from './signatures.ts';
import { type Slots, slotsOf } from './slots.ts';
import { openStateFile, type StateFile, stateFileName } from './state-file.ts';
import { statusOf } from './status.ts';
import { assertPlausibleStart, steadyTime } from './time.ts';
import { certifyForwarder, certifyVault } from './vault-certify.ts';
import { openVaultSigning } from './vault-decision.ts';

/** Records that one call answers at most. */
export const recordsPerCallMax: number = 1_000;

/**
 * Opens the state, verifies all of it, holds it against the head stores, and is then ready to decide. A state that is older than
 * what a head store remembers opens, too, but only to be recovered.
 *
 * @throws CustodyError `signer/not-ready` where no ceremony was held, `signer/state-damaged`, `signer/other-signer-active`,
 *   `hsm/unavailable`
 */
export async function openSignerCore(options: SignerCoreOptions): Promise<SignerCore> {
  const file = await (options.openFile ?? openStateFile)(options.stateDirectory);
  try {
    return await openOn(options, file);
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

async function openOn(options: SignerCoreOptions, file: StateFile): Promise<SignerCore> {
  const { hashes, heads } = options;
  const limits = { ...coreLimitDefaults, ...options.limits };
  const knowledge = openKnowledge(hashes);
  const began = performance.now();
  const onRecord = (record: RecordLine): void => knowledge.apply(record);
  const { log, head } = await openStateLog({ file, hashes, onRecord });
  if (head === undefined) throw await withoutState(log, options);
  assertOwn({ head, knowledge, options });
  if (options.acceptLongStandstill !== true) assertPlausibleStart(options.clock, log.at());
  const replay = { records: Number(log.end().sequence), durationMs: performance.now() - began };
  const slots = slotsOf(log, { stores: heads, required: requiredOf(options) });
  let standstill = await slots.judge(knowledge.forgiven());
  if (standstill === undefined) {
    // A copy that is not the newest was found out without a claim, so that starting it by mistake stops nobody. What another signer has
    // answered until the claim is in the heads that are read now.
    await slots.claim();
    standstill = await slots.judge(knowledge.forgiven());
  }
  // A slot that holds a record of this log proves all before it. Where none does, the log would prove itself: it names identity keys
  // and root quorum, so a log that somebody made up could let itself go on. There, only a key that was opened proves it.
  const anchored = standstill === undefined && log.floor() > 0n && knowledge.forgiven().length === 0;
  if (!anchored) assertVouched(head, options);
  const { deployment } = knowledge.registry();
  const identities = (): readonly IdentityKey[] => countingOf(options, knowledge);
  const arrivals = openArrivals();
  const committer = openCommitter({ log, slots, identities, deployment, arrivals, onRecord }, 0n);
  const { clock, monotonic } = options;
  const time = steadyTime({ clock, floor: log.at, ...(monotonic === undefined ? {} : { monotonic }) });
  const addresses = openAddresses(options.drivers, limits);
  const parts: CoreParts = {
    hashes,
    limits,
    log,
    knowledge,
    committer,
    addresses,
    signatures: openSignatures({ hashes, log, knowledge, committer, addresses }),
    verifier: approvalVerifier(hashes),
    identities,
    logKey: options.logKey,
    gate: openGate(limits.decisionsAtOnceMax),
    arrivals,
    time,
    refusals: openRefusals({ committer, time, perMinuteMax: limits.refusalRecordsPerMinuteMax }),
  };
  if (standstill === undefined) await begin(parts);
  const status = async (): Promise<SignerStatus> => statusOf(parts, options, standstill ?? committer.stopped());
  return coreOf({
    parts,
    slots,
    file,
    status,
    replay,
    standstill: () => standstill,
    goOn: () => (standstill = undefined),
  });
}

/** The first record of a run shows that disk, slots and identity key work, before anybody asks for a signature. */
async function begin({ committer, knowledge, log, time }: CoreParts): Promise<void> {
  // Nothing of an unfinished group ever left: no slot remembers it, or the start would have been refused.
  await log.cutTorn();
  const { version, hash } = knowledge.registry();
  await committer.commit({
    type: 'started',
    at: time.now(),
    fields: { registryVersion: String(version), registryHash: hash },
  });
}

type Opened = {
  readonly parts: CoreParts;
  readonly slots: Slots;
  readonly file: StateFile;
  readonly replay: SignerCore['replay'];
  readonly status: () => Promise<SignerStatus>;
  readonly standstill: () => CustodyError | undefined;
  readonly goOn: () => void;
};

function coreOf({ parts, slots, file, replay, status, standstill, goOn }: Opened): SignerCore {
  const sign = openSigning(parts);
  const signVault = openVaultSigning(parts);
  const signReserves = openReserveSigning(parts);
  const signControl = openControlSigning(parts);
  const signCheckpoint = openCheckpointSigning(parts);
  let closed = false;
  const ready = async <T>(work: () => Promise<T>): Promise<T> => {
    if (closed) throw new CustodyError('signer/not-ready', 'The signer is stopping. Ask again once it is back.');
    const reason = standstill();
    if (reason !== undefined) throw reason;
    return work();
  };
  return {
    mode: () => (standstill() === undefined ? 'ready' : 'recovery'),
    replay,
    status,
    account: async (compartment) => ready(async () => certifiedAccount(parts, compartment)),
    wallet: async (key) => ready(async () => certifiedWallet(parts, key)),
    certifyAddress: async (claim) => ready(async () => certifyAddress(parts, claim)),
    outlook: async (intent, evidence) => ready(async () => outlookOf(parts, intent, evidence)),
    lodge: async (intent, approval) => ready(async () => lodge(parts, intent, approval)),
    sign: async (request) => ready(async () => sign(request)),
    signVault: async (request) => ready(async () => signVault(request)),
    certifyVault: async (claim) => ready(async () => certifyVault(parts, claim)),
    certifyForwarder: async (claim) => ready(async () => certifyForwarder(parts, claim)),
    signReserves: async (request) => ready(async () => signReserves(request)),
    signControl: async (request) => ready(async () => signControl(request)),
    signCheckpoint: async (request) => ready(async () => signCheckpoint(request)),
    logKey: async () => ready(async () => certifiedLogKey(parts)),
    async change(change) {
      if (closed || standstill() === undefined) return ready(async () => changeRegistry(parts, change));
      const changed = await recoverState(parts, change, async () => {
        await slots.claim();
        return slots.remembered();
      });
      goOn();
      return changed;
    },
    async records(after, limit) {
      // While nothing proves the log, its newest group may be one that never counted, written before a crash and then taken back
      // with an older copy: its signatures must not be told. All groups before it counted when it was written.
      const upTo = standstill() === undefined ? parts.committer.settled() : parts.log.floor();
      return parts.log.records({ after, limit: Math.min(limit, recordsPerCallMax), upTo });
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await parts.committer.idle();
      await file[Symbol.asyncDispose]();
    },
  };
}

function requiredOf({ heads, limits }: SignerCoreOptions): number {
  const required = limits?.headsRequired ?? heads.length;
  if (heads.length > 0 && Number.isInteger(required) && required >= 1 && required <= heads.length) return required;
  throw new CustodyError(
    'signer/not-ready',
    `${required} of ${heads.length} head stores are required: at least one, and no more than there are. Without one, a restored older state would not be noticed.`,
  );
}

/** A folder without a whole record is new, unless a slot knows better. */
async function withoutState(log: StateLog, { stateDirectory, heads }: SignerCoreOptions): Promise<CustodyError> {
  const remembered = await Promise.all(heads.map(async (store) => store.read()));
  const newest = remembered.find((head) => head !== undefined);
  if (newest !== undefined) {
    return new CustodyError(
      'signer/state-damaged',
      `${stateDirectory} holds no record that can be read, and a slot remembers record ${newest.sequence}. Remove nothing: put the newest sound copy of the folder in its place.`,
    );
  }
  return new CustodyError(
    'signer/not-ready',
    log.tornBytes === 0
      ? `${stateDirectory} has no state of a signer: hold the ceremony first.`
      : `The ceremony in ${stateDirectory} was interrupted: its first record is not whole, and no slot knows of it. Remove ${stateFileName} and hold it again.`,
  );
}

/** A key that the registry no longer names stays open until its token leaves the configuration, and signs nothing. */
function countingOf({ identities }: SignerCoreOptions, knowledge: Knowledge): readonly IdentityKey[] {
  const counting = knowledge.registry().identities;
  return identities.filter(({ publicKey }) => counting.includes(publicKey));
}

/**
 * The log is this signer's own: it names the identity keys, in its first record and in the lists that followed, and one that counts at
 * its end has signed its newest head.
 */
function assertOwn(at: { head: SignedStatement; knowledge: Knowledge; options: SignerCoreOptions }): void {
  const { head, knowledge, options } = at;
  const known = knowledge.registry().identities;
  const foreign = options.identities.find(({ publicKey }) => !knowledge.everIdentities().includes(publicKey));
  if (foreign !== undefined || countingOf(options, knowledge).length === 0) {
    throw new CustodyError(
      'signer/not-ready',
      `This state belongs to the identity keys ${known.join(', ')}, and ${foreign?.publicKey ?? 'none of them'} was opened. Open the keys that belong to this folder; a new one counts once the root quorum has listed it.`,
    );
  }
  const { fields } = parseStatement(head.statement);
  const ours = fields['deployment'] === knowledge.registry().deployment && known.includes(head.identity);
  if (ours && isSigned(head)) return;
  throw new CustodyError(
    'signer/state-damaged',
    'The newest head in the log is not signed by an identity key of this signer: the log was changed. Put a sound copy of the folder back.',
  );
}

/** The newest head is signed by a key that this process holds, and not only by one that the log names. */
function assertVouched({ identity }: SignedStatement, { identities }: SignerCoreOptions): void {
  if (identities.some(({ publicKey }) => publicKey === identity)) return;
  throw new CustodyError(
    'signer/state-damaged',
    `No slot proves this log, and its newest head is signed by the identity key ${identity}, which was not opened. Open the token with that key; if this signer has none, the log was made up: put a sound copy of the folder back.`,
    { details: { identity } },
  );
}

function isSigned({ statement, identity, signature }: SignedStatement): boolean {
  const x = Buffer.from(identity, 'hex').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, Buffer.from(statement, 'utf8'), key, Buffer.from(signature, 'hex'));
}
