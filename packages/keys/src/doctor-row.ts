import { CustodyError } from '@bulkhead/domain';

/** One finding. `unknown` is what cannot be seen from here, and somebody has to find out in another way. */
export type DoctorRow = {
  readonly what: string;
  readonly verdict: 'good' | 'bad' | 'unknown';
  readonly detail: string;
};

export type Steps = Readonly<Record<string, () => Promise<readonly DoctorRow[]>>>;

export function row(what: string, verdict: DoctorRow['verdict'], detail: string): DoctorRow {
  return { what, verdict, detail };
}

/** One step after the other; one that fails is a bad row, and the next is tried all the same. */
export async function walk(steps: Steps): Promise<readonly DoctorRow[]> {
  const rows: DoctorRow[] = [];
  for (const [what, step] of Object.entries(steps)) {
    try {
      rows.push(...(await step()));
    } catch (error) {
      rows.push(row(what, 'bad', error instanceof CustodyError ? `${error.code}: ${error.message}` : String(error)));
    }
  }
  return rows;
}

/** @param times milliseconds of each run */
export function latencyRow(what: string, times: readonly number[]): DoctorRow {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2);
  return row(`latency of ${what}`, 'good', `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms over ${times.length}`);
}
