import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { CustodyError } from '@bulkhead/domain';
import { pinRefusedExitCode, type RunningSigner, type SignerOrder, startSigner } from '@bulkhead/signer/launch';
import type { Tell } from '../part.ts';

/** Pauses before a signer that ended by itself is started again. */
export const restartPauseMsMin = 50;
export const restartPauseMsMax = 5_000;
/** Characters of the signer's log that are repeated where it ended by itself. */
const lastWordsCharsMax = 300;

export type Supervision = {
  /** How people are told which one it is, within a sentence. */
  readonly name: string;
  readonly tell: Tell;
};

export type Supervised = AsyncDisposable & { readonly endpoint: () => string; readonly pid: () => number };

/**
 * Runs the signer, and again whenever it ends by itself, until it is disposed of or a token refuses its PIN: modules lock themselves
 * after a few wrong ones, so that is tried once.
 *
 * @throws CustodyError what the signer says why it does not start the first time
 */
export async function supervise(order: SignerOrder, { name, tell }: Supervision): Promise<Supervised> {
  let running: RunningSigner = await startWhenFree(order);
  const stop = new AbortController();
  const watch = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const { code, signal } = await running.exited;
      if (stop.signal.aborted) return;
      const { logFile: where } = running;
      if (code === pinRefusedExitCode) return tell({ part: 'signer', what: pinRefused(name), where });
      const how = signal ?? `code ${code}${lastWordsOf(where)}`;
      tell({ part: 'signer', what: `WARNING: ${name} ended (${how}) and is started again`, where });
      const again = await restarted({ order, name, tell, where }, stop.signal);
      if (again === undefined) return;
      running = again;
      // A stop that was asked for meanwhile has not seen this one.
      if (stop.signal.aborted) await running.stop();
    }
  };
  const watching = watch();
  return {
    endpoint: () => running.endpoint,
    pid: () => running.pid,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running.stop();
      await watching;
    },
  };
}

function pinRefused(name: string): string {
  return `WARNING: a token refuses the PIN of ${name}, which is not started again, because a token locks itself: correct the file of the PIN, then start the server again`;
}

function lastWordsOf(logFile: string): string {
  try {
    const last = readFileSync(logFile, 'utf8').trimEnd().split('\n').at(-1) ?? '';
    return last === '' ? '' : `, its last words: ${last.slice(0, lastWordsCharsMax)}`;
  } catch {
    return '';
  }
}

type Restart = Supervision & { readonly order: SignerOrder; readonly where: string };

/**
 * Tries again, less and less often, until it runs, a PIN is refused, or nobody wants it any more. Each reason why it does not start
 * is told once: what repeats itself every few seconds is read by nobody.
 */
async function restarted({ order, name, tell, where }: Restart, stop: AbortSignal): Promise<RunningSigner | undefined> {
  const told = new Set<string>();
  for (let pauseMs = restartPauseMsMin; ; pauseMs = Math.min(restartPauseMsMax, pauseMs * 2)) {
    try {
      await pause(pauseMs, undefined, { signal: stop });
      const running = await startSigner(order);
      if (told.size > 0) {
        tell({ part: 'signer', what: `Signing goes on: ${name} runs again, process ${running.pid}`, where });
      }
      return running;
    } catch (error) {
      if (stop.aborted) return undefined;
      if (!(error instanceof CustodyError)) throw error;
      if (error.code === 'hsm/pin-refused') {
        tell({ part: 'signer', what: pinRefused(name), where });
        return undefined;
      }
      const reason = `${error.message} (${error.code})`;
      if (!told.has(reason)) {
        tell({ part: 'signer', what: `WARNING: ${name} does not start and is tried again: ${reason}`, where });
      }
      told.add(reason);
    }
  }
}

/** Attempts while the signer of a server that was killed is still ending: it ends with the pipe to its parent. */
const freeAttempts = 20;

async function startWhenFree(order: SignerOrder): Promise<RunningSigner> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startSigner(order);
    } catch (error) {
      const busy = error instanceof CustodyError && busyCodes.has(error.code);
      if (!busy || attempt === freeAttempts) throw error;
      await pause(restartPauseMsMin * 2);
    }
  }
}

const busyCodes: ReadonlySet<string> = new Set(['signer/other-signer-active', 'platform/folder-busy']);
