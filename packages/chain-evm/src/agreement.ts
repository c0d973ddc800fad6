import { setTimeout as pause } from 'node:timers/promises';
import { CustodyError } from '@bulkhead/domain';
import type { Source } from './source.ts';

/** The sources of one chain and how many of them must say the same. */
export type Quorum<S extends Source = Source> = {
  readonly sources: readonly S[];
  /** `k` of k-of-n. */
  readonly needed: number;
};

export type Question<S, T> = {
  /** For messages: "block 12". */
  readonly subject: string;
  /** What one source says; undefined when it does not have the thing yet. */
  readonly ask: (source: S, signal: AbortSignal) => Promise<T | undefined>;
  /** Two answers agree when their digests are equal. */
  readonly digest: (answer: T) => string;
};

type Outcome<T> =
  | { readonly status: 'answered'; readonly answer: T | undefined }
  | { readonly status: 'failed'; readonly error: CustodyError };

type Arrival<S, T> = { readonly source: S; readonly outcome: Outcome<T> };

/** How long the others are waited for once enough sources have reported, where every report counts. */
export const stragglerPauseMs = 250;

/**
 * Asks all sources at once and returns the first answer that `needed` of them share, without waiting for the rest: a source
 * that is slow, dead, wrong or behind delays nothing while enough others agree. Calls that are not needed any more are
 * given up.
 *
 * @returns all equal answers so far, at least `needed`; undefined when too many sources do not have the thing yet and those
 * that have it do not contradict each other
 * @throws CustodyError `chain/disagreement` when enough answered and too few agree, `chain/nonsense` when what is missing to
 * `needed` is answers that cannot be true, `chain/unavailable` when too few answered
 */
export async function agree<S extends Source, T>(
  quorum: Quorum<S>,
  question: Question<S, T>,
): Promise<readonly T[] | undefined> {
  const controller = new AbortController();
  const groups = new Map<string, T[]>();
  const failures: Failure[] = [];
  let absent = 0;
  try {
    for await (const { source, outcome } of arrivals(quorum, question, controller.signal)) {
      if (outcome.status === 'failed') {
        failures.push({ source: source.name, error: outcome.error });
      } else if (outcome.answer === undefined) {
        absent += 1;
        // Those that are still out cannot make up the number any more, so a silent one delays nothing.
        const outstandingMax = quorum.sources.length - absent;
        if (absent >= quorum.needed && outstandingMax < quorum.needed && groups.size === 0) return undefined;
      } else {
        const digest = question.digest(outcome.answer);
        const group = groups.get(digest) ?? [];
        group.push(outcome.answer);
        groups.set(digest, group);
        if (group.length >= quorum.needed) return group;
      }
    }
  } finally {
    controller.abort();
  }
  const answered = quorum.sources.length - failures.length;
  if (answered < quorum.needed) throw tooFew(quorum, question.subject, failures);
  if (groups.size <= 1 && absent > 0) return undefined;
  const counts = [...groups.values()].map((group) => group.length);
  throw new CustodyError(
    'chain/disagreement',
    `On ${question.subject} ${quorum.needed} of ${quorum.sources.length} sources must agree, but they gave ${groups.size} different answers (${counts.join(', ')} of each). Find out which source is wrong; nothing is taken from any of them until then.`,
    { details: { answers: groups.size, absent, failed: failures.length } },
  );
}

/**
 * Asks all sources at once where every report counts for itself. Once `needed` have reported, the others get a short while.
 *
 * @returns at least `needed` reports, each with its source
 * @throws CustodyError `chain/unavailable`, `chain/nonsense` when fewer report
 */
export async function gather<S extends Source, T>(
  quorum: Quorum<S>,
  question: Omit<Question<S, T>, 'digest'>,
): Promise<readonly { readonly source: S; readonly report: T }[]> {
  const controller = new AbortController();
  const reports: { source: S; report: T }[] = [];
  const failures: Failure[] = [];
  try {
    let deadline: Promise<undefined> | undefined;
    for await (const arrival of arrivals(quorum, question, controller.signal, () => deadline)) {
      const { source, outcome } = arrival;
      if (outcome.status === 'failed') {
        failures.push({ source: source.name, error: outcome.error });
      } else if (outcome.answer !== undefined) {
        reports.push({ source, report: outcome.answer });
      }
      if (reports.length >= quorum.needed) {
        deadline ??= pause(stragglerPauseMs, undefined, { signal: controller.signal }).catch(() => undefined);
      }
    }
  } finally {
    controller.abort();
  }
  if (reports.length < quorum.needed) throw tooFew(quorum, question.subject, failures);
  return reports;
}

/** Outcomes in the order in which they come, until all have come or the deadline, if there is one by then, has passed. */
async function* arrivals<S extends Source, T>(
  quorum: Quorum<S>,
  question: Omit<Question<S, T>, 'digest'>,
  ...[signal, deadline]: readonly [AbortSignal, (() => Promise<undefined> | undefined)?]
): AsyncGenerator<Arrival<S, T>> {
  const pending = new Map<S, Promise<Arrival<S, T>>>();
  for (const source of quorum.sources) pending.set(source, attempt(source, question, signal));
  while (pending.size > 0) {
    const limit = deadline?.();
    const first = Promise.race(pending.values());
    const arrival = await (limit === undefined ? first : Promise.race([first, limit]));
    if (arrival === undefined) return;
    pending.delete(arrival.source);
    yield arrival;
  }
}

/** Never rejects for a fault of a source, so that an attempt nobody waits for any more cannot crash the process. */
async function attempt<S extends Source, T>(
  source: S,
  question: Omit<Question<S, T>, 'digest'>,
  signal: AbortSignal,
): Promise<Arrival<S, T>> {
  try {
    return { source, outcome: { status: 'answered', answer: await question.ask(source, signal) } };
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return { source, outcome: { status: 'failed', error } };
  }
}

type Failure = { readonly source: string; readonly error: CustodyError };

function tooFew(quorum: Quorum, subject: string, failures: readonly Failure[]): CustodyError {
  const absurd = failures.filter(({ error }) => error.code === 'chain/nonsense').length;
  const silent = failures.length - absurd;
  // If the absurd answers alone are what is missing, the sources are reachable and broken.
  const code = quorum.sources.length - silent >= quorum.needed ? 'chain/nonsense' : 'chain/unavailable';
  const reasons = failures.map(({ source, error }) => `${source}: ${error.message}`);
  const [first] = failures;
  return new CustodyError(
    code,
    `On ${subject} ${quorum.needed} of ${quorum.sources.length} sources must answer, and ${quorum.sources.length - failures.length} did. ${reasons.join(' ')}`,
    first === undefined ? {} : { cause: first.error },
  );
}
