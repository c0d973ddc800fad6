import { type Clock, CustodyError, type DecisionRecord, parseIntent, type Signer } from '@bulkhead/domain';
import { bigint, type Database, only, text } from '@bulkhead/postgres';
import { type Actor, machine } from './custody.ts';
import { record as note } from './journal.ts';
import { signerLogView } from './signer-record.ts';
import { readState } from './state.ts';

/** Records compared at a time. */
const recordsAtOnce = 500;

export type Following = {
  /** The owner of the tables: the application may not do this. */
  readonly owner: Database;
  readonly signer: Pick<Signer, 'records'>;
  /** Throws for a record that no believed identity has signed. */
  readonly verify: (record: DecisionRecord) => void;
  readonly deployment: string;
  readonly clock: Clock;
  readonly actor?: Actor;
};

/** What was put aside: records of the part that the signer lost, from the recovery on; null where nothing was lost. */
export type Followed = { readonly recovery: bigint | null; readonly lost: bigint };

/**
 * Has the books follow the signer's log again after there was trouble with it: where all that is stored is in its log, because the
 * newest copy was put back, or where the root quorum let it go on from an older state. Then the recovery must be in its log between
 * what both have in common and what differs, signed by a believed identity and naming the end that was kept. Every other difference
 * stays what it is, trouble. Stored records from the recovery on are kept in `custody.signer_record_lost`.
 *
 * One transaction; safe to repeat. A record that is stored meanwhile is in the signer's log, and put aside it is fetched again.
 *
 * @returns undefined where there is no trouble and nothing differs
 * @throws CustodyError `signer/state-rewound` where no recovery explains the difference, `signer/certificate-invalid`, `signer/unavailable`
 */
export async function followRecovery(given: Following): Promise<Followed | undefined> {
  const { owner, clock } = given;
  const compared = await compare(given);
  const { conflict, newest } = compared;
  const { trouble } = await signerLogView(owner);
  if (conflict === undefined && trouble === null) return undefined;
  const recovery = conflict === undefined ? null : assertRecovery({ ...compared, conflict }, given);
  return owner.transaction(async (tx) => {
    const now = clock.now();
    const from = recovery?.sequence ?? newest + 1n;
    const kept = recovery?.previous ?? '0'.repeat(64);
    const row = only(await tx.query('select custody.follow_recovery($1, $2, $3) as lost', [from, kept, now]));
    const followed = { recovery: recovery?.sequence ?? null, lost: bigint(row, 'lost') };
    await note(tx, now, {
      actor: given.actor ?? machine,
      subject: 'signer',
      event: 'signer-log-followed',
      data: { ...followed, trouble },
    });
    return followed;
  });
}

type Comparison = {
  /** Newest position where the same record stands on both sides: up to there both logs are one. */
  readonly common: bigint;
  /** Oldest stored position where the signer has another record, or none. */
  readonly conflict: bigint | undefined;
  /** Newest stored position. */
  readonly newest: bigint;
  /** Recoveries in the signer's log after what is common. */
  readonly recoveries: readonly DecisionRecord[];
};

async function compare({ owner, signer }: Following): Promise<Comparison> {
  let [common, newest, after] = [0n, 0n, 0n];
  let conflict: bigint | undefined;
  let recoveries: DecisionRecord[] = [];
  for (;;) {
    const said = await signer.records(after, recordsAtOnce);
    const upTo = said.at(-1)?.sequence;
    // Past the signer's end everything that is stored differs.
    const stored = await owner.query(
      `select sequence, line, previous from custody.signer_record where sequence > $1 and ($2::bigint is null or sequence <= $2)
       order by sequence`,
      [after, upTo ?? null],
    );
    const known = new Map(said.map((record) => [record.sequence, record]));
    for (const row of stored) {
      const sequence = bigint(row, 'sequence');
      const one = known.get(sequence);
      const same = one !== undefined && text(row, 'line') === one.line && text(row, 'previous') === one.previous;
      if (same) common = sequence;
      else conflict ??= sequence;
      newest = sequence;
    }
    recoveries = [...recoveries, ...said.filter((record) => typeOf(record) === 'recovered')];
    if (upTo === undefined) break;
    after = upTo;
  }
  return { common, conflict, newest, recoveries: recoveries.filter(({ sequence }) => sequence > common) };
}

type Line = { readonly type?: unknown; readonly intent?: unknown };

function typeOf(record: DecisionRecord): unknown {
  return readState<Line>(record.line).type;
}

function assertRecovery(
  { recoveries, conflict }: Comparison & { readonly conflict: bigint },
  { verify, deployment }: Following,
): DecisionRecord {
  const [recovery] = recoveries;
  if (recovery !== undefined && recovery.sequence <= conflict) {
    verify(recovery);
    const { intent: canonical } = readState<Line>(recovery.line);
    const intent = parseIntent(new TextEncoder().encode(typeof canonical === 'string' ? canonical : ''));
    const isThis =
      intent.kind === 'state-recovery' &&
      intent.deployment === deployment &&
      intent.sequence === recovery.sequence - 1n &&
      intent.head === recovery.previous;
    if (isThis) return recovery;
  }
  throw new CustodyError(
    'signer/state-rewound',
    `At record ${conflict} the signer does not say what is stored here, and no recovery by the root quorum explains it: it runs on an older state, or its log forked. Nothing was changed. Find out what runs there.`,
    { details: { sequence: String(conflict) } },
  );
}
