import type { VaultRefusal } from './vault-refusal.ts';
import type { LimitWindow } from './vault-question.ts';
import type { Hex } from './word.ts';

/** The fee clock counts at most this: what was not collected for longer is not owed. */
export const feeSecondsMax: bigint = 31n * 86_400n;

/** What a yearly rate in hundredths of a percent is divided by. */
const feeDivisor = 10_000n * 365n * 86_400n;

export function isRefusal(value: unknown): value is VaultRefusal {
  return typeof value === 'object' && value !== null && 'refusal' in value;
}

/** Counts an amount into a window: a new one when `windowSeconds` have passed since the old one began. */
export function spend(
  window: LimitWindow,
  amount: bigint,
  { windowSeconds, time }: { readonly windowSeconds: bigint; readonly time: bigint },
): LimitWindow | VaultRefusal {
  const fresh = time >= window.since + windowSeconds;
  const spent = fresh ? 0n : window.spent;
  if (spent > window.cap || amount > window.cap - spent) {
    return { refusal: 'AboveLimit', amount, spent, cap: window.cap };
  }
  return { ...window, spent: spent + amount, since: fresh ? time : window.since };
}

/** The most that may be collected from a balance after so many seconds. Rounded down. */
export function feeMax(balance: bigint, feeBpsYear: bigint, elapsed: bigint): bigint {
  const counted = elapsed < feeSecondsMax ? elapsed : feeSecondsMax;
  return (balance * feeBpsYear * counted) / feeDivisor;
}

/** A queued change that may be executed now, or why not. */
export function ready(change: Hex, readyAt: bigint, time: bigint): bigint | VaultRefusal {
  if (readyAt === 0n) return { refusal: 'NotQueued', change };
  if (readyAt > time) return { refusal: 'NotReady', change, readyAt, time };
  return readyAt;
}

/** When a change was queued; it is void where what it changes was changed by something queued later, or tightened since. */
export function newest(
  change: Hex,
  readyAt: bigint,
  { delay, since }: { readonly delay: bigint; readonly since: bigint },
): bigint | VaultRefusal {
  const queuedAt = readyAt - delay;
  return queuedAt > since ? queuedAt : { refusal: 'Overtaken', change, since };
}

/** When an exit that is asked for now is ready. A clock that runs is not started anew. */
export function requestExit(exitReadyAt: bigint, exitDelay: bigint, time: bigint): bigint | VaultRefusal {
  return noExit(exitReadyAt) ?? time + exitDelay;
}

/** Opens the exit at once after the custodian's silence; it can only come sooner by that. */
export function openExit(
  exitReadyAt: bigint,
  { lastHeartbeat, period, time }: { readonly lastHeartbeat: bigint; readonly period: bigint; readonly time: bigint },
): bigint | VaultRefusal {
  if (time <= lastHeartbeat + period) return { refusal: 'CustodianAlive', lastHeartbeat, period, time };
  if (exitReadyAt !== 0n && exitReadyAt <= time) return { refusal: 'ExitPending', readyAt: exitReadyAt };
  return time;
}

export function noExit(exitReadyAt: bigint): VaultRefusal | undefined {
  return exitReadyAt === 0n ? undefined : { refusal: 'ExitPending', readyAt: exitReadyAt };
}

export function exitReady(exitReadyAt: bigint, time: bigint): VaultRefusal | undefined {
  if (exitReadyAt === 0n) return { refusal: 'NoExit' };
  return exitReadyAt > time ? { refusal: 'ExitNotReady', readyAt: exitReadyAt, time } : undefined;
}

/** When a pause of now ends. The same side waits as long again after it. */
export function pause(pausedUntil: bigint, pauseSeconds: bigint, time: bigint): bigint | VaultRefusal {
  const allowedFrom = pausedUntil === 0n ? 0n : pausedUntil + pauseSeconds;
  return time < allowedFrom ? { refusal: 'PauseTooSoon', allowedFrom, time } : time + pauseSeconds;
}

export function noPause(pausedUntil: bigint, time: bigint): VaultRefusal | undefined {
  return time < pausedUntil ? { refusal: 'PausedUntil', until: pausedUntil, time } : undefined;
}
