import type { Address } from '@bulkhead/domain';
import type { InitialPolicy } from './initial-policy.ts';
import type { VaultConfig } from './vault-config.ts';
import type { VaultEvent } from './vault-event.ts';
import { feeMax, isRefusal, noPause, spend } from './vault-policy.ts';
import { type Gate, type LimitWindow, removedDestination } from './vault-question.ts';
import {
  exitDestinationInForce,
  limitName,
  newVaultState,
  type VaultState,
  windowOf,
  withEntry,
} from './vault-state.ts';
import type { Hex } from './word.ts';

/** An event of a vault and where it stands. Entries are in the order of the chain. */
export type HistoryEntry = {
  readonly height: bigint;
  /** Of the block, Unix seconds. */
  readonly time: bigint;
  readonly transaction: string;
  readonly event: VaultEvent;
};

/** What somebody who reads a vault's events wants to know of them. */
export type HistoryTopic = 'destinations' | 'limits' | 'vaults' | 'fees' | 'exits' | 'changes' | 'nonces';

export type HistoryFinding = { readonly topic: HistoryTopic; readonly fact: string };

/** What is known beside the events. */
export type HistoryKnowledge = {
  readonly config: VaultConfig;
  /** Undefined where nobody showed it. */
  readonly policy: InitialPolicy | undefined;
  /** Whether an address is a vault or forwarder of the same factory. */
  readonly isVault: (address: Address) => boolean;
  /** The most that a vault can have had of a token when it paid a fee, or undefined where the chain cannot be asked. */
  readonly balanceAt: (entry: HistoryEntry, token: Address) => bigint | undefined;
};

export type History = {
  readonly findings: readonly HistoryFinding[];
  /** The state that the events lead to; nonces and raises are not followed. */
  readonly state: VaultState;
  /** Fees whose bound could not be worked out. */
  readonly feesUnknown: number;
};

type Queue = Map<Hex, { readonly queuedAt: bigint; readonly readyAt: bigint; readonly content: string }>;

/**
 * Holds the events of a vault against its configuration: each payment to a destination that was old enough and within its limit,
 * no way to another vault, each fee within its rate, each exit to the destination in force, each change after its delay. Contracts
 * enforce the same; this is for whoever believes no code.
 */
export function judgeHistory(entries: readonly HistoryEntry[], knowledge: HistoryKnowledge): History {
  const findings: HistoryFinding[] = [];
  const reading: Reading = {
    knowledge,
    state: newVaultState,
    queue: new Map(),
    opened: new Set(
      entries.filter(({ event }) => event.event === 'PolicyOpened').map(({ transaction }) => transaction),
    ),
    nonces: new Map(),
    feesUnknown: 0,
    find: (topic, fact) => findings.push({ topic, fact }),
  };
  for (const entry of entries) read(reading, entry);
  return { findings, state: reading.state, feesUnknown: reading.feesUnknown };
}

type Reading = {
  readonly knowledge: HistoryKnowledge;
  state: VaultState;
  readonly queue: Queue;
  /** Transactions in which somebody opened the initial policy. */
  readonly opened: ReadonlySet<string>;
  /** Transaction of each nonce of the quorum. */
  readonly nonces: Map<bigint, string>;
  feesUnknown: number;
  readonly find: (topic: HistoryTopic, fact: string) => void;
};

type EntryOf<N extends VaultEvent['event']> = HistoryEntry & {
  readonly event: Extract<VaultEvent, { readonly event: N }>;
};

function read(reading: Reading, entry: HistoryEntry): void {
  const { event } = entry;
  switch (event.event) {
    case 'Withdrawn':
      return readWithdrawn(reading, { ...entry, event });
    case 'FeeCollected':
      return readFee(reading, { ...entry, event });
    case 'Exited':
      return readExited(reading, { ...entry, event });
    case 'NonceInvalidated':
      return readNonce(reading, entry, event.nonce);
    case 'PolicyOpened':
      return undefined;
    case 'DestinationAdded':
      return readAddition(reading, { ...entry, event });
    case 'DestinationRemoved':
      reading.state = {
        ...reading.state,
        destinations: withEntry(reading.state.destinations, event.to, removedDestination),
      };
      return undefined;
    case 'LimitSet':
      return readLimit(reading, { ...entry, event });
    case 'LimitQueued':
    case 'ExitDestinationQueued':
    case 'KeyRotationQueued':
      return readQueued(reading, { ...entry, event });
    case 'ExitDestinationChanged': {
      const since = reading.state.exitDestinationQueuedAt;
      const queuedAt = takeQueued(reading, entry, { content: `exit destination ${event.to}`, since });
      reading.state = { ...reading.state, exitDestination: event.to, exitDestinationQueuedAt: queuedAt };
      return undefined;
    }
    case 'KeyRotated': {
      const { keys, keyQueuedAt } = reading.state;
      const since = keyQueuedAt.get(event.role) ?? 0n;
      const queuedAt = takeQueued(reading, entry, { content: `${event.role} key ${event.newKey}`, since });
      reading.state = {
        ...reading.state,
        keys: withEntry(keys, event.role, event.newKey),
        keyQueuedAt: withEntry(keyQueuedAt, event.role, queuedAt),
      };
      return undefined;
    }
    case 'Vetoed':
      reading.queue.delete(event.change);
      return undefined;
    case 'Paused':
      return readPause(reading, { ...entry, event });
    case 'ExitRequested':
    case 'ExitCancelled':
    case 'ExitOpened':
      return readExit(reading, { ...entry, event });
  }
}

function readWithdrawn(reading: Reading, entry: EntryOf<'Withdrawn'>): void {
  const { event, time } = entry;
  const { config, isVault } = reading.knowledge;
  readOutflow(reading, entry, 'destinations');
  readNonce(reading, entry, event.nonce);
  if (event.authority === 'one-off') return;
  if (isVault(event.to)) {
    reading.find('vaults', `${where(entry)} paid ${event.to}, a vault or forwarder, by the quorum alone`);
  }
  const activeFrom = reading.state.destinations.get(event.to) ?? 0n;
  const active = activeFrom !== 0n && activeFrom <= time;
  if (event.authority === 'listed' && !active) {
    reading.find('destinations', `${where(entry)} paid ${event.to}, which was no active destination`);
  }
  if (event.authority === 'unlisted') {
    if (config.kind === 'omnibus') spendLimit(reading, entry, { ...event, unlisted: true });
    else reading.find('destinations', `${where(entry)} paid an unlisted address of no omnibus`);
  }
  spendLimit(reading, entry, { ...event, unlisted: false });
}

type Spent = { readonly token: Address; readonly amount: bigint; readonly unlisted: boolean };

function spendLimit(reading: Reading, entry: HistoryEntry, { token, amount, unlisted }: Spent): void {
  const { windowSeconds } = reading.knowledge.config;
  const before = windowOf(reading.state, token, unlisted);
  const after = spend(before, amount, { windowSeconds, time: entry.time });
  if (isRefusal(after)) {
    reading.find(
      'limits',
      `${where(entry)} paid ${amount} of ${token}, above the ${unlisted ? 'unlisted ' : ''}limit ${before.cap}`,
    );
    return;
  }
  setWindow(reading, limitName(token, unlisted), after);
}

function setWindow(reading: Reading, name: string, window: LimitWindow): void {
  reading.state = { ...reading.state, limits: withEntry(reading.state.limits, name, window) };
}

function readFee(reading: Reading, entry: EntryOf<'FeeCollected'>): void {
  const { event, time } = entry;
  const { config, balanceAt } = reading.knowledge;
  readOutflow(reading, entry, 'fees');
  readNonce(reading, entry, event.nonce);
  const clock = reading.state.feeClocks.get(event.token) ?? 0n;
  if (event.from !== clock || event.to !== time) {
    reading.find(
      'fees',
      `${where(entry)} says a fee of ${event.from} to ${event.to}; its clock stood at ${clock}, and it was ${time}`,
    );
  }
  reading.state = { ...reading.state, feeClocks: withEntry(reading.state.feeClocks, event.token, time) };
  if (event.amount === 0n) return;
  const balance = balanceAt(entry, event.token);
  if (clock === 0n) {
    reading.find('fees', `${where(entry)} collected ${event.amount} before the clock of ${event.token} was started`);
  } else if (balance === undefined) {
    reading.feesUnknown += 1;
  } else {
    const max = feeMax(balance, config.feeBpsYear, time - clock);
    if (event.amount > max) {
      reading.find('fees', `${where(entry)} collected ${event.amount} of ${event.token}, at most ${max} was due`);
    }
  }
}

function readExited(reading: Reading, entry: EntryOf<'Exited'>): void {
  const { event, time } = entry;
  const { exitReadyAt } = reading.state.gate;
  if (exitReadyAt === 0n || exitReadyAt > time) reading.find('exits', `${where(entry)} left although no exit was open`);
  const to = exitDestinationInForce(reading.state, reading.knowledge.config);
  if (event.to !== to) reading.find('exits', `${where(entry)} left to ${event.to}, and the exit destination was ${to}`);
}

/** What the quorum pays stands still in a pause and after an exit request. */
function readOutflow(reading: Reading, entry: HistoryEntry, topic: HistoryTopic): void {
  const { exitReadyAt, quorumPauseUntil, clientPauseUntil } = reading.state.gate;
  if (exitReadyAt !== 0n) reading.find('exits', `${where(entry)} paid after an exit was asked for`);
  const paused = noPause(quorumPauseUntil, entry.time) ?? noPause(clientPauseUntil, entry.time);
  if (paused !== undefined) reading.find(topic, `${where(entry)} paid in a pause`);
}

function readNonce(reading: Reading, entry: HistoryEntry, nonce: bigint): void {
  const before = reading.nonces.get(nonce);
  if (before !== undefined && before !== entry.transaction) {
    reading.find('nonces', `${where(entry)} used the nonce ${nonce} of ${before} again`);
  }
  reading.nonces.set(nonce, entry.transaction);
}

function readAddition(reading: Reading, entry: EntryOf<'DestinationAdded'>): void {
  const { event, time, transaction } = entry;
  const { config, policy } = reading.knowledge;
  frozen(reading, entry);
  const agreed = reading.opened.has(transaction) && event.activeFrom === time;
  if (agreed && policy?.destinations.includes(event.to) === false) {
    reading.find('destinations', `${where(entry)} opened ${event.to}, which the initial policy does not name`);
  }
  if (!agreed && event.activeFrom < time + config.changeDelay) {
    reading.find(
      'destinations',
      `${where(entry)} made ${event.to} a destination before the delay of ${config.changeDelay} seconds`,
    );
  }
  reading.state = {
    ...reading.state,
    destinations: withEntry(reading.state.destinations, event.to, event.activeFrom),
  };
}

function readLimit(reading: Reading, entry: EntryOf<'LimitSet'>): void {
  const { token, cap, unlisted } = entry.event;
  const name = limitName(token, unlisted);
  const before = windowOf(reading.state, token, unlisted);
  const { policy } = reading.knowledge;
  const opened = reading.opened.has(entry.transaction) && !before.written;
  if (opened) {
    const agreed = (unlisted ? policy?.unlisted : policy?.limits)?.find((limit) => limit.token === token);
    if (policy !== undefined && agreed?.cap !== cap) {
      reading.find(
        'limits',
        `${where(entry)} opened a limit of ${cap} for ${token}, which the initial policy does not name`,
      );
    }
  } else if (cap > before.cap || (!before.written && cap !== 0n)) {
    const since = reading.state.loweredAt.get(name) ?? 0n;
    takeQueued(reading, entry, { content: limitContent(entry.event), since });
  }
  if (cap < before.cap || (!before.written && cap === 0n)) {
    reading.state = { ...reading.state, loweredAt: withEntry(reading.state.loweredAt, name, entry.time) };
  }
  setWindow(reading, name, { ...before, cap, written: true });
}

function limitContent({
  token,
  cap,
  unlisted,
}: {
  readonly token: Address;
  readonly cap: bigint;
  readonly unlisted: boolean;
}): string {
  return `${unlisted ? 'unlisted ' : ''}limit ${cap} of ${token}`;
}

function readQueued(
  reading: Reading,
  entry: EntryOf<'LimitQueued' | 'ExitDestinationQueued' | 'KeyRotationQueued'>,
): void {
  const { event, time } = entry;
  const { config } = reading.knowledge;
  frozen(reading, entry);
  const { delay, content } = (() => {
    switch (event.event) {
      case 'LimitQueued':
        return { delay: config.changeDelay, content: limitContent(event) };
      case 'ExitDestinationQueued':
        return { delay: config.exitChangeDelay, content: `exit destination ${event.to}` };
      case 'KeyRotationQueued': {
        const waits = event.side === 'quorum' ? config.recoveryDelay : config.changeDelay;
        return { delay: waits, content: `${event.role} key ${event.newKey}` };
      }
    }
  })();
  if (event.readyAt < time + delay) {
    reading.find('changes', `${where(entry)} queued a ${content} for less than ${delay} seconds`);
  }
  reading.queue.set(event.change, { queuedAt: time, readyAt: event.readyAt, content });
}

/**
 * Something queued comes into force: it was there, it was ready, and it was queued after what is in force. Answers when it was queued; of
 * several that say the same the oldest, because the event does not tell them apart.
 */
function takeQueued(reading: Reading, entry: HistoryEntry, { content, since }: Taken): bigint {
  frozen(reading, entry);
  const found = [...reading.queue].filter(([, each]) => each.content === content && each.readyAt <= entry.time);
  const [taken] = found.filter(([, { queuedAt }]) => queuedAt > since);
  if (taken === undefined) {
    const fact = found.length === 0 ? 'that had not waited in the queue' : 'that was older than what was in force';
    reading.find('changes', `${where(entry)} put a ${content} in force ${fact}`);
    return entry.time;
  }
  reading.queue.delete(taken[0]);
  return taken[1].queuedAt;
}

type Taken = { readonly content: string; readonly since: bigint };

function readPause(reading: Reading, entry: EntryOf<'Paused'>): void {
  const { event, time } = entry;
  const { pauseSeconds } = reading.knowledge.config;
  const { gate } = reading.state;
  const name = event.side === 'quorum' ? 'quorumPauseUntil' : 'clientPauseUntil';
  const before = gate[name];
  if (event.until !== time + pauseSeconds || (before !== 0n && time < before + pauseSeconds)) {
    reading.find('changes', `${where(entry)} paused until ${event.until}, not as agreed`);
  }
  setGate(reading, { ...gate, [name]: event.until });
}

function readExit(reading: Reading, entry: EntryOf<'ExitRequested' | 'ExitCancelled' | 'ExitOpened'>): void {
  const { event, time } = entry;
  const { gate } = reading.state;
  const { config } = reading.knowledge;
  switch (event.event) {
    case 'ExitRequested':
      if (event.readyAt !== time + config.exitDelay || gate.exitReadyAt !== 0n) {
        reading.find('exits', `${where(entry)} asked for an exit ready at ${event.readyAt}, not as agreed`);
      }
      return setGate(reading, { ...gate, exitReadyAt: event.readyAt });
    case 'ExitCancelled':
      return setGate(reading, { ...gate, exitReadyAt: 0n });
    case 'ExitOpened':
      if (time <= event.lastHeartbeat + config.heartbeatPeriod) {
        reading.find('exits', `${where(entry)} opened the exit although the signer set was not silent for long enough`);
      }
      return setGate(reading, { ...gate, exitReadyAt: time });
  }
}

function setGate(reading: Reading, gate: Gate): void {
  reading.state = { ...reading.state, gate };
}

/** Nothing changes after an exit request. */
function frozen(reading: Reading, entry: HistoryEntry): void {
  if (reading.state.gate.exitReadyAt !== 0n) {
    reading.find('exits', `${where(entry)} changed something after an exit was asked for`);
  }
}

function where({ height, transaction }: HistoryEntry): string {
  return `Block ${height}, ${transaction}:`;
}
