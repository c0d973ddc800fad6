import { type CanonicalObject, type RecordLine, type RecordType, statementText } from '@bulkhead/authority';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CustodyError, type DecisionRecord, invariant, type SignedStatement } from '@bulkhead/domain';
import type { IdentityKey } from '@bulkhead/keys';
import type { Arrivals } from './arrivals.ts';
import type { PreparedGroup, StateLog } from './log.ts';
import { groupRecordsMax } from './options.ts';
import type { Look, Slots } from './slots.ts';

/** How long a group waits for decisions that are about to come, in milliseconds. */
export const groupGatheredMsMax: number = 5;

/** What a record says besides its position. `at` is the time the decision was made at, Unix seconds. */
export type Entry = {
  readonly type: RecordType;
  readonly at: bigint;
  readonly fields: CanonicalObject;
  /** Identity keys that may sign the head over it, where not every one that counts before it counts after it. */
  readonly signers?: readonly string[];
};

/**
 * Makes decisions durable before anything leaves. All of it happens in groups: what arrives while one group is written makes up
 * the next.
 */
export type Committer = {
  /**
   * Returned: the record is on disk, its head is in the slots, and a signed head covers it. A record of the type `signed` is on disk
   * only: its answer has no proof yet.
   *
   * @throws CustodyError `hsm/unavailable`, `signer/other-signer-active`, `signer/state-damaged`
   */
  commit(entry: Entry): Promise<DecisionRecord>;
  /** Writes signatures; those of all grants that were decided together, together. */
  keep(signature: CanonicalObject): Promise<void>;
  /** Writes that an older state goes on, and its head over whatever the slots hold. */
  recover(entry: Entry): Promise<DecisionRecord>;
  /** A recovery is in the log, and not every slot has taken its head yet. */
  recovering(): boolean;
  /** Returned: every record that is in the log now counts. A slot that was away is caught up. */
  settle(): Promise<void>;
  /** Newest record that counts; what lies after it may not be shown to anybody. */
  settled(): bigint;
  /** Why nothing is written, and so nothing signed, until the next start. */
  stopped(): CustodyError | undefined;
  /** Waits for what is under way. */
  idle(): Promise<void>;
};

export type CommitParts = {
  readonly log: StateLog;
  readonly slots: Slots;
  /** Those that count now. */
  readonly identities: () => readonly IdentityKey[];
  readonly deployment: string;
  /** Absent: each group begins at once. */
  readonly arrivals?: Arrivals;
  /** Takes each record once it is in the log, before its commitment is known: from then on it binds. */
  readonly onRecord: (record: RecordLine) => void;
};

type Waiting = {
  readonly entry: Entry;
  readonly resolve: (record: DecisionRecord | undefined) => void;
  readonly reject: (reason: unknown) => void;
};

type Held = {
  /** Newest record that the slots are known to hold. */
  settledAt: bigint;
  /** Why nothing is written any more, until the next start. */
  stopped: CustodyError | undefined;
  /** Set from the moment a recovery is in the log until every slot has taken its head. */
  overwriting: boolean;
};

/** `settled` is the newest record that the slots are known to hold. */
export function openCommitter(parts: CommitParts, settled: bigint): Committer {
  const queue = openQueue(parts);
  const held: Held = { settledAt: settled, stopped: undefined, overwriting: false };
  /** End of the work on the log that was begun last: one piece of work at a time. */
  let last: Promise<unknown> = Promise.resolve();
  /** The slots while they take the head of a group. Signatures of groups before it are written meanwhile, and nothing else is. */
  let slots: Promise<void> | undefined;
  let scheduled = false;
  const moment = openMoment(groupGatheredMsMax, () => hurry());

  /** Alone with log and slots. */
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(async () => {
      await slots;
      return work();
    });
    last = mine.catch(() => undefined);
    return mine;
  };

  const writeNext = async (): Promise<void> => {
    scheduled = false;
    const group = slots === undefined ? queue.takeGroup() : queue.takeSignatures();
    if (group.length > 0) {
      moment.end();
      slots =
        (await writeGroup(parts, held, group))?.answered.finally(() => {
          slots = undefined;
          schedule();
        }) ?? slots;
    }
    // What is left waits for the slots, for others that are about to come, or for its turn.
    if (queue.length() === 0) return;
    if (group.length > 0) schedule();
    else if (slots === undefined) moment.begin();
  };

  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    last = last.then(writeNext);
  };

  const hurry = (): void => {
    moment.end();
    queue.hurry();
    schedule();
  };

  const enqueue = async (entry: Entry): Promise<DecisionRecord | undefined> =>
    new Promise((resolve, reject) => {
      queue.push({ entry, resolve, reject });
      // What has arrived by now and was not read yet belongs to the same group.
      if (entry.type === 'signed') schedule();
      else setImmediate(schedule);
    });

  return {
    async commit(entry) {
      const record = await enqueue(entry);
      invariant(record !== undefined, 'A record that counts came without its proof.');
      return record;
    },
    async keep(fields) {
      await enqueue({ type: 'signed', at: 0n, fields });
    },
    recover: async (entry) => inTurn(async () => writeRecovery(parts, held, entry)),
    recovering: () => held.overwriting,
    settle: async () => inTurn(async () => settleHeads(parts, held)),
    settled: () => held.settledAt,
    stopped: () => held.stopped,
    async idle() {
      while (scheduled || slots !== undefined || queue.length() > 0) {
        hurry();
        await last;
        await slots;
      }
      await last;
    },
  };
}

/** A moment that a group waits. It ends with the group: the next one gets its own. */
function openMoment(ms: number, over: () => void): { readonly begin: () => void; readonly end: () => void } {
  let timer: NodeJS.Timeout | undefined;
  return {
    begin: () => {
      timer ??= setTimeout(over, ms);
    },
    end: () => {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

type Queue = {
  push(waiting: Waiting): void;
  length(): number;
  /** Lets the next group begin, whoever else is about to come. */
  hurry(): void;
  /** What may be written while the slots are free. Nothing, where a larger group is worth waiting for. */
  takeGroup(): readonly Waiting[];
  /** What may be written while the slots are busy, and needs no head. */
  takeSignatures(): readonly Waiting[];
};

function openQueue({ log, arrivals }: Pick<CommitParts, 'log' | 'arrivals'>): Queue {
  const signatures: Waiting[] = [];
  const others: Waiting[] = [];
  let hurried = false;
  /** Where nobody else is about to come, a group begins at once. */
  const isWhole = (): boolean => hurried || arrivals === undefined || arrivals.expected() === 0;
  const room = (): number => Math.max(0, groupRecordsMax - log.openLines());
  return {
    push: (waiting) => (waiting.entry.type === 'signed' ? signatures : others).push(waiting),
    length: () => signatures.length + others.length,
    hurry: () => {
      hurried = true;
    },
    takeGroup() {
      if (others.length === 0 || !isWhole()) return signatures.splice(0, room() || groupRecordsMax);
      hurried = false;
      const group = signatures.splice(0, groupRecordsMax);
      return [...group, ...others.splice(0, groupRecordsMax - group.length)];
    },
    takeSignatures: () => signatures.splice(0, room()),
  };
}

async function settleHeads({ log, slots }: CommitParts, held: Held, look?: Look): Promise<void> {
  if (held.stopped !== undefined) throw held.stopped;
  const end = log.covered();
  if (held.settledAt >= end.sequence) return;
  try {
    await (held.overwriting ? slots.overwrite(end) : slots.write(end, look));
  } catch (error) {
    // A slot that does not answer may come back. A slot that somebody else writes to ends this process's right to sign.
    if (error instanceof CustodyError && error.code === 'signer/other-signer-active') held.stopped = error;
    throw error;
  }
  held.overwriting = false;
  held.settledAt = end.sequence;
}

/** Signatures wait for the head of the next group, which covers them, as long as they do not become many. */
function areOpen({ log }: CommitParts, entries: readonly Entry[]): boolean {
  return entries.every(({ type }) => type === 'signed') && log.openLines() + entries.length <= groupRecordsMax;
}

async function append(parts: CommitParts, held: Held, entries: readonly Entry[]): Promise<Prepared> {
  if (held.stopped !== undefined) throw held.stopped;
  const prepared = await prepare(parts, entries);
  try {
    // A crash before the sync has returned: the group is torn or whole, no slot knows of it, no answer left. Torn, the start
    // cuts it off; whole, the start writes its head to the slots and the decisions count, as a repetition finds out.
    await parts.log.write(prepared.group);
  } catch (cause) {
    held.stopped = unwritable(cause);
    throw held.stopped;
  }
  return prepared;
}

function take({ onRecord }: CommitParts, { records }: Prepared): void {
  for (const record of records) onRecord(record);
}

/**
 * Writes a group to disk. Signatures are answered with that. The head goes on to the slots after this has returned, and the rest is
 * answered, or refused, with `answered`, which never fails.
 */
async function writeGroup(
  parts: CommitParts,
  held: Held,
  group: readonly Waiting[],
): Promise<{ readonly answered: Promise<void> } | undefined> {
  const refuse = (error: unknown): void => {
    for (const waiting of group) waiting.reject(error);
  };
  try {
    const entries = group.map(({ entry }) => entry);
    // What an earlier group left behind comes first, so that the log is never ahead of the slots by more than one group. Signatures
    // wait for no slot: their grants count already.
    const headed = !areOpen(parts, entries);
    if (headed) await settleHeads(parts, held);
    const look = headed ? parts.slots.look() : undefined;
    const prepared = await append(parts, held, entries);
    if (prepared.group.head === undefined) {
      take(parts, prepared);
      for (const { resolve } of group) resolve(undefined);
      return undefined;
    }
    // A crash here, or between two slots: the log has it all, some slots are one group behind. The start catches them up. Signatures of
    // earlier groups may follow in the log meanwhile: no head covers them yet, and the head that the slots take does not change.
    const settled = settleHeads(parts, held, look);
    settled.catch(() => undefined);
    // The slots are asked first, and the records are taken while they work.
    await nextTurn();
    take(parts, prepared);
    for (const { entry, resolve } of group) if (entry.type === 'signed') resolve(undefined);
    const answered = settled.then(() => {
      // A crash here: everything counts and nobody was told. A repetition of the request is answered from the log.
      for (const [index, waiting] of group.entries()) waiting.resolve(prepared.answers[index]);
    });
    return { answered: answered.catch(refuse) };
  } catch (error) {
    refuse(error);
    return undefined;
  }
}

async function writeRecovery(parts: CommitParts, held: Held, entry: Entry): Promise<DecisionRecord> {
  if (held.stopped !== undefined) throw held.stopped;
  // What could not be read goes first: it is no part of the state that the root quorum lets go on. A crash before the record is
  // whole leaves the state as it was, to be recovered by the same intent.
  await parts.log.cutTorn();
  const prepared = await append(parts, held, [entry]);
  take(parts, prepared);
  // A crash from here on: the record names the heads that the slots still hold, so the start knows them as forgiven.
  held.overwriting = true;
  await settleHeads(parts, held);
  const [record] = prepared.answers;
  invariant(record !== undefined, 'A recovery was written without its record.');
  return record;
}

type Prepared = {
  readonly group: PreparedGroup;
  readonly records: readonly RecordLine[];
  /** The records with their proofs, where a head covers them. */
  readonly answers: readonly DecisionRecord[];
};

async function prepare(parts: CommitParts, entries: readonly Entry[]): Promise<Prepared> {
  const { log, deployment } = parts;
  const { sequence, hash: previous } = log.end();
  let at = log.at();
  const records = entries.map((entry, index): RecordLine => {
    // Time never goes back in the log, whatever the clock does: windows and expiry rest on it. A signature has the time of the record
    // before it: where no head covers it, nobody vouches for what it says.
    if (entry.at > at) at = entry.at;
    return { sequence: sequence + BigInt(index) + 1n, at, type: entry.type, fields: entry.fields };
  });
  const lines = log.prepare(records);
  const end = { sequence: sequence + BigInt(records.length), hash: lines.at(-1)?.hash ?? previous };
  if (areOpen(parts, entries)) return { group: { lines, end, at }, records, answers: [] };
  const fields = { deployment, sequence: String(end.sequence), hash: end.hash, at: String(at) };
  // Signed before it is written, so that the log holds its own proof: at the start, only a group that this signer's identity
  // vouches for is taken over. The statement leaves with the answers, after the slots.
  const head = await signStatement(signersOf(parts, entries), statementText('head', fields));
  return { group: { lines, end, at, head }, records, answers: recordsOf({ lines, end, head }, previous) };
}

function signersOf({ identities }: CommitParts, entries: readonly Entry[]): readonly IdentityKey[] {
  return identities().filter(({ publicKey }) => entries.every(({ signers }) => signers?.includes(publicKey) !== false));
}

type CoveredGroup = Required<Pick<PreparedGroup, 'lines' | 'end' | 'head'>>;

function recordsOf({ lines, end, head }: CoveredGroup, previous: string): readonly DecisionRecord[] {
  const first = end.sequence - BigInt(lines.length) + 1n;
  return lines.map(({ line }, index) => ({
    sequence: first + BigInt(index),
    line,
    previous: index === 0 ? previous : (lines[index - 1]?.hash ?? previous),
    following: lines.slice(index + 1).map(({ digest }) => digest),
    head,
  }));
}

/**
 * Signs a statement with the first identity key that answers.
 *
 * @throws what the last key threw
 */
export async function signStatement(identities: readonly IdentityKey[], statement: string): Promise<SignedStatement> {
  const message = Buffer.from(statement, 'utf8');
  let failure: unknown;
  for (const identity of identities) {
    try {
      const signature = Buffer.from(await identity.sign(message)).toString('hex');
      return { statement, identity: identity.publicKey, signature };
    } catch (error) {
      failure = error;
    }
  }
  throw failure instanceof CustodyError
    ? failure
    : new CustodyError('hsm/unavailable', 'No identity key of the signer answers. Nothing leaves until one does.', {
        cause: failure,
      });
}

function unwritable(cause: unknown): CustodyError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
  return new CustodyError(
    'signer/not-ready',
    `The signer's log could not be written (${code}): disk full or failing. No signature left, and none will until the disk is in order and the signer was started again; the start takes over what was written whole and cuts off what was not.`,
    { cause, details: { reason: code } },
  );
}
