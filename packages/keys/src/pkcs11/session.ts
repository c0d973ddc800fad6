import { invariant } from '@bulkhead/domain';
import type { CryptokiFunction } from './binding.ts';
import { ckf, ulongBytes } from './cryptoki.ts';
import { createFrame, type Frame } from './frame.ts';
import type { Module } from './module.ts';
import { accept, Refusal, timedOut } from './refusal.ts';

/** One session with a token: one operation at a time. */
export type Session = {
  readonly handle: bigint;
  readonly frame: Frame;
  /** Handles of session objects that end with this session, by whatever name their maker gives them. */
  readonly kept: Map<string, bigint>;
  /** Calls a function whose first argument is the session. Throws a {@link Refusal} for every result but CKR_OK. */
  readonly call: (name: CryptokiFunction, args: readonly bigint[]) => Promise<void>;
  /** The same, where the caller judges the result. */
  readonly ask: (name: CryptokiFunction, args: readonly bigint[]) => Promise<number>;
  /** A call that did not come back in time and may still run: nothing of this session may be touched until it does. */
  readonly lost: () => boolean;
};

export type Opening = { readonly module: Module; readonly slotId: bigint; readonly timeoutMs: number };

/** @throws Refusal */
export async function openSession(opening: Opening): Promise<Session> {
  const { module, slotId } = opening;
  const frame = createFrame();
  const out = frame.reserve(ulongBytes);
  const flags = BigInt(ckf.SERIAL_SESSION | ckf.RW_SESSION);
  const call = timely(module, opening.timeoutMs);
  const result = await call.ask('C_OpenSession', [slotId, flags, 0n, 0n, out.address]);
  if (result !== 0) {
    if (!call.lost()) frame.free();
    throw new Refusal('C_OpenSession', result);
  }
  const handle = out.bytes.readBigUInt64LE();
  frame.wipe();
  const ask = (name: CryptokiFunction, args: readonly bigint[]): Promise<number> => call.ask(name, [handle, ...args]);
  return {
    handle,
    frame,
    kept: new Map(),
    ask,
    call: async (name, args) => accept(name, await ask(name, args)),
    lost: call.lost,
  };
}

/** Ends it on the token too. What the token says about that changes nothing. */
export async function closeSession(session: Session): Promise<void> {
  await session.ask('C_CloseSession', []);
  if (!session.lost()) session.frame.free();
}

/** Calls with a limit of time. After one was lost, the others are refused: its memory is still in use. */
export function timely(
  module: Module,
  timeoutMs: number,
): {
  readonly ask: Session['ask'];
  readonly lost: () => boolean;
} {
  let lost = false;
  let underWay: { readonly running: Promise<number>; readonly giveUp: () => void } | undefined;
  /** One timer for all calls, begun again with each: it finds nothing to do where the newest has returned. */
  let watch: NodeJS.Timeout | undefined;
  const expire = (): void => {
    if (underWay === undefined) return;
    lost = true;
    module.lose(underWay.running);
    underWay.giveUp();
  };
  return {
    lost: () => lost,
    async ask(name, args) {
      if (lost) return timedOut;
      invariant(underWay === undefined, 'A session of a token was given a call while it had one.');
      const running = module.cryptoki.callAsync(name, args);
      if (watch === undefined) watch = setTimeout(expire, timeoutMs).unref();
      else watch.refresh();
      try {
        return await new Promise((resolve, reject) => {
          underWay = { running, giveUp: () => resolve(timedOut) };
          running.then(resolve, reject);
        });
      } finally {
        underWay = undefined;
      }
    },
  };
}
