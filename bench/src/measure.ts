import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** What a round of a candidate gave: operations per second, and how long each took. */
export type Round = { readonly perSecond: number; readonly p50Ms: number; readonly p99Ms: number };

export type Candidate = { readonly name: string; readonly clients: number; operation(client: number): Promise<number> };

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Runs a candidate's clients in a closed loop: each asks again as soon as it has its answer. */
export async function runRound(candidate: Candidate, durationMs: number): Promise<Round> {
  const latencies: number[] = [];
  let operations = 0;
  const warmUntil = performance.now() + durationMs * 0.25;
  const until = warmUntil + durationMs;
  const client = async (index: number): Promise<void> => {
    for (;;) {
      const begin = performance.now();
      if (begin >= until) return;
      const count = await candidate.operation(index);
      const end = performance.now();
      if (begin >= warmUntil && end <= until) {
        operations += count;
        latencies.push(end - begin);
      }
    }
  };
  await Promise.all(Array.from({ length: candidate.clients }, (_, index) => client(index)));
  latencies.sort((a, b) => a - b);
  return {
    perSecond: (operations * 1000) / durationMs,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  };
}

/** Medians of alternating rounds: drift of the machine hits all candidates alike. */
export async function alternate(
  candidates: readonly Candidate[],
  options: { readonly rounds: number; readonly durationMs: number; readonly before: () => Promise<void> },
): Promise<ReadonlyMap<string, Round>> {
  const rounds = new Map<string, Round[]>(candidates.map((candidate) => [candidate.name, []]));
  for (let round = 0; round < options.rounds; round += 1) {
    for (const candidate of candidates) {
      await options.before();
      rounds.get(candidate.name)?.push(await runRound(candidate, options.durationMs));
    }
  }
  return new Map(
    [...rounds].map(([name, results]) => [
      name,
      {
        perSecond: median(results.map((result) => result.perSecond)),
        p50Ms: median(results.map((result) => result.p50Ms)),
        p99Ms: median(results.map((result) => result.p99Ms)),
      },
    ]),
  );
}

/** CPU cores that were busy since the last call, by all processes of the machine. */
export function cpuMeter(): () => number {
  const read = (): { busy: number; total: number } => {
    const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
    const parts = line.trim().split(/\s+/u).slice(1).map(Number);
    const total = parts.reduce((sum, part) => sum + part, 0);
    return { busy: total - (parts[3] ?? 0) - (parts[4] ?? 0), total };
  };
  let last = read();
  return () => {
    const now = read();
    const share = (now.busy - last.busy) / Math.max(1, now.total - last.total);
    last = now;
    return share * cpus().length;
  };
}
