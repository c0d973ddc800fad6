import { CustodyError, invariant } from '@bulkhead/domain';
import { type Breaker, breakerRestMs, createBreaker } from './breaker.ts';
import { ckr } from './cryptoki.ts';
import { login } from './login.ts';
import { acquireModule, type Module } from './module.ts';
import { createPool, type Pool } from './pool.ts';
import { faultOf, Refusal, type Remedy, remedyOf } from './refusal.ts';
import { closeSession, openSession, type Session } from './session.ts';
import { findToken, type TokenInfo } from './token-info.ts';

/** Longest time for one call to a module, in milliseconds. A key is made in less; what takes longer hangs. */
export const callTimeoutMs: number = 20_000;

export type SlotOptions = {
  readonly library: string;
  readonly label: string;
  readonly pin: () => Uint8Array | Promise<Uint8Array>;
  readonly environment: Readonly<Record<string, string>>;
  readonly sessionsMax: number;
  readonly timeoutMs: number;
};

/** What a piece of work on a token is given: a session of its own for as long as it runs, and which login its handles belong to. */
export type Desk = { readonly session: Session; readonly epoch: number; readonly generation: number };

/**
 * The connection with one token: logged in, with a pool of sessions. It finds its way back after the token, its login or the library
 * was lost, and asks a module that does not answer only now and then.
 */
export type Slot = {
  readonly label: string;
  readonly module: Module;
  info(): TokenInfo | undefined;
  /** Sessions that are open, the one that holds the login not counted. */
  sessions(): number;
  /**
   * Does the work, and again after a remedy where the token lost what it needs. Work that must not happen twice, such as making a
   * key, is `once`: the remedy is applied, and the caller told.
   */
  run<T>(work: (desk: Desk) => Promise<T>, repetition?: 'repeatable' | 'once'): Promise<T>;
  close(): Promise<void>;
};

type Connection = {
  readonly info: TokenInfo;
  readonly generation: number;
  readonly epoch: number;
  /** Holds the login: a process whose last session closes is logged out. */
  readonly anchor: Session;
  readonly pool: Pool;
};

/** @throws CustodyError `hsm/unavailable`, `config/invalid`, `key/native-module-missing` */
export function createSlot(options: SlotOptions): Slot {
  const module = acquireModule(options.library, options.environment);
  const breaker = createBreaker();
  const link = createLink(module, options);
  let closed = false;

  const attempt = async <T>(work: (desk: Desk) => Promise<T>, started: () => void): Promise<T> => {
    await module.enter();
    try {
      const { pool, epoch, generation } = await link.connected();
      return await pool.use(async (session) => {
        started();
        return await work({ session, epoch, generation });
      });
    } finally {
      module.leave();
    }
  };
  const climb = async <T>(work: (desk: Desk) => Promise<T>, repetition: 'repeatable' | 'once'): Promise<T> => {
    let applied: Remedy = 'none';
    let begun = false;
    for (;;) {
      const seen = { epoch: link.epoch(), generation: module.generation() };
      try {
        return await attempt(work, () => (begun = true));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        const remedy = nextRemedy(remedyOf(error), applied);
        if (remedy === undefined) throw error;
        if (remedy === 'library') await module.renew(seen.generation);
        if (remedy === 'login') await link.cut(seen.epoch);
        if (begun && repetition === 'once') throw error;
        applied = remedy;
      }
    }
  };
  return {
    label: options.label,
    module,
    info: link.info,
    sessions: link.sessions,
    async run(work, repetition = 'repeatable') {
      invariant(!closed, 'A token was asked for something after it was closed.');
      return await guarded(breaker, options.label, () => climb(work, repetition));
    },
    async close() {
      if (closed) return;
      closed = true;
      await link.cut(link.epoch());
      await module.release();
    },
  };
}

/** The one login of a slot, made when it is needed and when the library was made anew since. */
type Link = {
  readonly connected: () => Promise<Connection>;
  /** Counts logins: handles of an earlier one mean nothing. */
  readonly epoch: () => number;
  /** Ends the login, unless another one was made since epoch `seen`. */
  readonly cut: (seen: number) => Promise<void>;
  readonly info: () => TokenInfo | undefined;
  readonly sessions: () => number;
};

function createLink(module: Module, options: SlotOptions): Link {
  let connection: Connection | undefined;
  let connecting: Promise<Connection> | undefined;
  let epoch = 0;
  let info: TokenInfo | undefined;

  const cut = async (): Promise<void> => {
    const old = connection;
    connection = undefined;
    await drop(old, module);
  };
  const renewed = async (): Promise<Connection> => {
    await cut();
    epoch += 1;
    connection = await connect(module, options, epoch);
    info = connection.info;
    return connection;
  };
  return {
    epoch: () => epoch,
    info: () => info,
    sessions: () => connection?.pool.open() ?? 0,
    async connected() {
      if (connection?.generation === module.generation()) return connection;
      // Many operations may find at once that there is no login: one of them makes it for all.
      connecting ??= renewed().finally(() => {
        connecting = undefined;
      });
      return await connecting;
    },
    async cut(seen) {
      if (epoch === seen) await cut();
    },
  };
}

const ladder: readonly Remedy[] = ['none', 'session', 'login', 'library'];

/** A remedy that did not help is followed by the next larger one; a session that is busy again is not. */
function nextRemedy(wanted: Remedy, applied: Remedy): Remedy | undefined {
  if (wanted === 'none') return undefined;
  if (ladder.indexOf(wanted) > ladder.indexOf(applied)) return wanted;
  return wanted === 'login' && applied === 'login' ? 'library' : undefined;
}

async function guarded<T>(breaker: Breaker, label: string, work: () => Promise<T>): Promise<T> {
  if (!breaker.closed()) {
    throw new CustodyError(
      'hsm/unavailable',
      `The token "${label}" did not answer several times in a row and is left alone for ${breakerRestMs} ms. Check the module, its network and its client; work goes on by itself once it answers.`,
      { details: { token: label } },
    );
  }
  try {
    const result = await work();
    breaker.succeeded();
    return result;
  } catch (error) {
    const fault = error instanceof Refusal ? faultOf(error, label) : error;
    if (fault instanceof CustodyError && fault.code === 'hsm/unavailable') breaker.failed();
    else breaker.succeeded();
    throw fault;
  }
}

async function connect(module: Module, options: SlotOptions, epoch: number): Promise<Connection> {
  const info = await findToken(module, options);
  const opening = { module, slotId: info.slotId, timeoutMs: options.timeoutMs };
  const anchor = await openSession(opening);
  try {
    const pin = await options.pin();
    await login(anchor, pin, { id: JSON.stringify([module.path, info.serial, info.label]), label: info.label });
  } catch (error) {
    await closeSession(anchor);
    throw error;
  }
  const pool = createPool({
    sessionsMax: options.sessionsMax,
    open: () => openSession(opening),
    isFull: (error) => error instanceof Refusal && error.result === ckr.SESSION_COUNT,
  });
  return { info, generation: module.generation(), epoch, anchor, pool };
}

async function drop(connection: Connection | undefined, module: Module): Promise<void> {
  if (connection === undefined) return;
  // After the library was made anew, its numbers of sessions belong to others.
  const alive = connection.generation === module.generation();
  await connection.pool.close(alive);
  if (alive) await closeSession(connection.anchor);
  else if (!connection.anchor.lost()) connection.anchor.frame.free();
}
