/** What an intent uses of a limit: an amount it moves, or the fee it may burn. */
export type Use = {
  /** Which limit it counts against, such as `withdrawal/100000/eip155:1/slip44:60`. */
  readonly series: string;
  readonly intent: string;
  /** Unix seconds. */
  readonly at: bigint;
  readonly amount: bigint;
};

export type UsageQuestion = {
  readonly series: string;
  readonly windowSeconds: bigint;
  /** Unix seconds; never before an earlier question or use. */
  readonly now: bigint;
  /** The intent that is left out of the sum. */
  readonly except: string;
};

/**
 * Sums over sliding windows. An intent counts once in a series, at its newest attempt, with the highest it was ever granted: a fee
 * bump moves it and does not double it.
 */
export type Usage = {
  record(use: Use): void;
  sum(question: UsageQuestion): bigint;
};

/** Entries of a series that are kept before the oldest are looked at. */
const entriesBeforeSweep = 4_096;

type Entry = { readonly intent: string; readonly at: number; amount: bigint };
type Window = { start: number; sum: bigint };
type Series = {
  entries: Entry[];
  readonly indexOf: Map<string, number>;
  readonly windows: Map<number, Window>;
  sweepAt: number;
};

/** `windowSecondsMax` is the longest window that may ever be asked about; what is older is forgotten. */
export function openUsage(windowSecondsMax: bigint): Usage {
  const all = new Map<string, Series>();
  return {
    record({ series: name, intent, at, amount }) {
      const series = all.get(name) ?? emptySeries();
      all.set(name, series);
      const earlier = takeOut(series, intent);
      const entry = { intent, at: Number(at), amount: amount > earlier ? amount : earlier };
      series.indexOf.set(intent, series.entries.length);
      series.entries.push(entry);
      for (const window of series.windows.values()) window.sum += entry.amount;
      if (series.entries.length >= series.sweepAt) sweep(series, entry.at - Number(windowSecondsMax));
    },
    sum({ series: name, windowSeconds, now, except }) {
      const series = all.get(name);
      if (series === undefined) return 0n;
      const window = windowOf(series, { seconds: Number(windowSeconds), now: Number(now) });
      const own = series.indexOf.get(except);
      const ownAmount = own !== undefined && own >= window.start ? (series.entries[own]?.amount ?? 0n) : 0n;
      return window.sum - ownAmount;
    },
  };
}

function emptySeries(): Series {
  return { entries: [], indexOf: new Map(), windows: new Map(), sweepAt: entriesBeforeSweep };
}

/** Removes what an intent counted for and says how much it was. */
function takeOut({ entries, indexOf, windows }: Series, intent: string): bigint {
  const index = indexOf.get(intent);
  const entry = index === undefined ? undefined : entries[index];
  if (index === undefined || entry === undefined) return 0n;
  const { amount } = entry;
  for (const window of windows.values()) if (index >= window.start) window.sum -= amount;
  entry.amount = 0n;
  return amount;
}

/** Each entry enters and leaves a window once, so asking costs the same however many entries the window has. */
function windowOf({ entries, windows }: Series, { seconds, now }: { seconds: number; now: number }): Window {
  let window = windows.get(seconds);
  if (window === undefined) {
    window = { start: 0, sum: entries.reduce((sum, { amount }) => sum + amount, 0n) };
    windows.set(seconds, window);
  }
  for (let entry = entries[window.start]; entry !== undefined && entry.at <= now - seconds;) {
    window.sum -= entry.amount;
    window.start += 1;
    entry = entries[window.start];
  }
  return window;
}

/** Forgets what no window can reach. Windows are made anew when they are asked about next. */
function sweep(series: Series, before: number): void {
  series.entries = series.entries.filter(({ at, amount }) => at > before && amount > 0n);
  series.indexOf.clear();
  for (const [index, { intent }] of series.entries.entries()) series.indexOf.set(intent, index);
  series.windows.clear();
  series.sweepAt = Math.max(entriesBeforeSweep, series.entries.length * 2);
}
