import type { AnswerMeasure } from '@bulkhead/api';
import type { FollowOptions, JobLog } from '@bulkhead/custody';
import { type ChainId, CustodyError } from '@bulkhead/domain';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

type Tick = Parameters<NonNullable<FollowOptions['onTick']>>[0];

/**
 * What the process tells about itself. Each event has one function, which is the one place where its log line and its counter
 * are; ids and sentences go to the log, and only words of which there are few to the counters.
 */
export type Events = {
  readonly chainProgressed: (chain: ChainId, tick: Tick) => void;
  readonly chainRecovered: (chain: ChainId) => void;
  readonly chainFaulted: (
    chain: ChainId,
    fault: { readonly error: unknown; readonly pauseMs: number; readonly stalled: boolean },
  ) => void;
  readonly jobLogged: (entry: JobLog) => void;
  readonly answered: (measure: AnswerMeasure) => void;
  readonly partStarted: (part: { readonly part: string; readonly what: string; readonly where: string }) => void;
  readonly stopping: (reason: string) => void;
};

export function eventsOf(log: Log, metrics: Metrics): Events {
  return {
    chainProgressed: (chain, { observed, finalized }) => {
      metrics.blocksObserved.inc({ chain }, observed.taken);
      metrics.blocksRemoved.inc({ chain }, observed.removed);
      metrics.blocksBooked.inc({ chain }, finalized.booked);
      if (observed.removed > 0) log.warn({ chain, removed: observed.removed }, 'chain reorganised');
      if (finalized.booked > 0) log.debug({ chain, taken: observed.taken, booked: finalized.booked }, 'blocks booked');
    },
    chainRecovered: (chain) => log.info({ chain }, 'chain followed again'),
    chainFaulted: (chain, { error, pauseMs, stalled }) => {
      const code = error instanceof CustodyError ? error.code : 'unknown';
      metrics.followerFaults.inc({ chain, code });
      log[stalled ? 'error' : 'warn'](
        { chain, err: error, pauseMs },
        stalled ? 'chain stands still' : 'chain not followed now',
      );
    },
    jobLogged: ({ level, message, task, error }) => {
      if (level === 'error') metrics.jobFaults.inc({ task: task ?? 'runner' });
      log[levels[level]](
        { ...(task === undefined ? {} : { task }), ...(error === undefined ? {} : { err: error }) },
        message,
      );
    },
    answered: ({ method, route, status, durationMs }) => {
      metrics.answers.observe({ method, route, status: String(status) }, durationMs / 1000);
    },
    partStarted: (part) => log.info(part, 'part started'),
    stopping: (reason) => log.info({ reason }, 'stopping'),
  };
}

/** The runner tells of every job it takes; that is for looking closely. */
const levels = { error: 'error', warning: 'warn', info: 'debug', debug: 'trace' } as const satisfies Record<
  JobLog['level'],
  string
>;
