import { CustodyError } from '@bulkhead/domain';
import { closeSession, type Session } from './session.ts';

/** Operations that may wait for a session of one token. More than this is a caller that does not wait for its answers. */
export const waitingOperationsMax: number = 4_096;

export type Pool = {
  /** Gives the work a session that nobody else has. A session in which anything went wrong is closed, not given to the next. */
  use<T>(work: (session: Session) => Promise<T>): Promise<T>;
  open(): number;
  /** @param alive whether the token still knows the sessions */
  close(alive: boolean): Promise<void>;
};

export type PoolOptions = {
  readonly sessionsMax: number;
  open(): Promise<Session>;
  /** Whether opening failed because the module has no more sessions. */
  isFull(error: unknown): boolean;
};

export function createPool(options: PoolOptions): Pool {
  let sessionsMax = options.sessionsMax;
  let open = 0;
  let ended: { readonly alive: boolean } | undefined;
  const idle: Session[] = [];
  const waiting: (() => void)[] = [];

  const end = async (session: Session, alive: boolean): Promise<void> => {
    open -= 1;
    waiting.shift()?.();
    if (session.lost()) return;
    if (alive) await closeSession(session);
    else session.frame.free();
  };
  const take = async (): Promise<Session> => {
    for (;;) {
      const session = idle.pop();
      if (session !== undefined) return session;
      if (open < sessionsMax) {
        open += 1;
        try {
          return await options.open();
        } catch (error) {
          open -= 1;
          waiting.shift()?.();
          if (!options.isFull(error) || open === 0) throw error;
          // The module gives fewer than were configured: the others wait their turn.
          sessionsMax = open;
        }
      }
      await turn(waiting);
    }
  };
  return {
    open: () => open,
    async use(work) {
      const session = await take();
      let result;
      try {
        result = await work(session);
      } catch (error) {
        // The operation may still be active in it, and the next one would be refused.
        await end(session, ended?.alive ?? true);
        throw error;
      }
      if (ended === undefined && !session.lost()) {
        session.frame.wipe();
        idle.push(session);
        waiting.shift()?.();
      } else {
        await end(session, ended?.alive ?? true);
      }
      return result;
    },
    async close(alive) {
      ended = { alive };
      await Promise.all(idle.splice(0).map((session) => end(session, alive)));
    },
  };
}

async function turn(waiting: (() => void)[]): Promise<void> {
  if (waiting.length >= waitingOperationsMax) {
    throw new CustodyError(
      'hsm/session-limit',
      `${waitingOperationsMax} operations wait for a session of the token. Ask for fewer at once.`,
    );
  }
  const { promise, resolve } = Promise.withResolvers<void>();
  waiting.push(resolve);
  await promise;
}
