import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SignRequest } from '@bulkhead/domain';
import { startSigner } from '@bulkhead/signer';
import { SignerClient } from '@bulkhead/signer-client';
import { type Candidate, cpuMeter, median, type Round, runRound } from './measure.ts';
import { approvedWithdrawal, prepareSigning, type SigningStage } from './signing-stage.ts';

const perSecondMin = 400;
const p99MsMax = 25;
const overheadMax = 4;
/** Requests under way at once, for the signer and for the bare module alike. */
const outstanding = 8;
const rounds = 3;
const roundMs = 2_000;
/** More than any machine of today decides. So many requests are there before a round begins. */
const perSecondMost = 2_000;
const requestsOfRound = (perSecondMost * roundMs * 1.25) / 1_000;

/**
 * Complete decisions of the hardened signer process over its socket: each with a request, two passkeys and a wallet to verify, a policy,
 * a signature by SoftHSM, a record on disk and its head in two slots. Beside it, in turns, what the same module signs bare.
 *
 * @returns whether rate, tail and overhead hold
 */
export async function benchSigning(args: readonly string[]): Promise<boolean> {
  const requests = openSupply();
  const others = numberOf(args, '--enrolled') ?? 0;
  await using stage = await prepareSigning({ others });
  if (others > 0) print(`${others + 1} clients are enrolled, and withdrawals go to enrolled destinations only`);
  const running = await startSigner({ directory: stage.directory, configuration: stage.configuration });
  try {
    await using client = new SignerClient({ endpoint: running.endpoint });
    const bare: Candidate = {
      name: 'bare',
      clients: outstanding,
      operation: async () => {
        await stage.bare.sign(stage.key, randomBytes(32));
        return 1;
      },
    };
    const decided: Candidate = {
      name: 'decided',
      clients: outstanding,
      operation: async () => {
        await client.sign(requests.next());
        return 1;
      },
    };
    const begin = cpuMsOf(running.pid);
    const turns = await takeTurns({ bare, decided, before: requests.fill });
    const used = cpuMsOf(running.pid) - begin;
    const holds = report({ ...turns, cpuMs: used / requests.used() });
    await running.stop();
    print(await replayedAgain(stage));
    return holds;
  } finally {
    await running.stop();
  }
}

function numberOf(args: readonly string[], name: string): number | undefined {
  return args.includes(name) ? Number(args[args.indexOf(name) + 1]) : undefined;
}

/** Starts the signer once more, under the same hardening, on the log that it has written. */
async function replayedAgain({ directory, configuration }: SigningStage): Promise<string> {
  const running = await startSigner({ directory, configuration });
  await running.stop();
  const lines = readFileSync(running.logFile, 'utf8').trim().split('\n');
  const last = lines.findLast((line) => line.includes('"event":"replayed"')) ?? '{}';
  const [, records = 0, durationMs = 0] = (/"records":(\d+),"durationMs":([\d.]+)/u.exec(last) ?? []).map(Number);
  const bytes = statSync(join(configuration.state, 'state.log')).size;
  return `replay at the next start           ${records} records, ${(bytes / 1e6).toFixed(1)} MB, in ${durationMs.toFixed(0)} ms: ${((records * 1_000) / durationMs).toFixed(0)} a second`;
}

type Supply = {
  /** Makes what the next round may need. Counters of passkeys rise with the number: they are used in the order in which they are made. */
  readonly fill: () => void;
  readonly next: () => SignRequest;
  readonly used: () => number;
};

function openSupply(): Supply {
  const made: SignRequest[] = [];
  let used = 0;
  return {
    used: () => used,
    fill() {
      while (made.length < used + requestsOfRound) made.push(approvedWithdrawal(made.length));
    },
    next() {
      const request = made[used];
      if (request === undefined) {
        const fact = `A round used up its ${requestsOfRound} requests: more than ${perSecondMost} decisions a second`;
        throw new Error(`${fact}. Raise perSecondMost in bench/src/signing.ts.`);
      }
      used += 1;
      return request;
    },
  };
}

/** Processor time of a process so far; the kernel counts in hundredths of a second. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

type Turns = { readonly bare: Round[]; readonly decided: Round[]; readonly cores: number };

type Contest = { readonly bare: Candidate; readonly decided: Candidate; readonly before: () => void };

async function takeTurns({ bare, decided, before }: Contest): Promise<Turns> {
  const turns: Record<'bare' | 'decided', Round[]> = { bare: [], decided: [] };
  const cores: number[] = [];
  for (let round = 0; round < rounds; round++) {
    before();
    turns.bare.push(await runRound(bare, roundMs));
    const meter = cpuMeter();
    turns.decided.push(await runRound(decided, roundMs));
    cores.push(meter());
  }
  return { ...turns, cores: median(cores) };
}

function report({ bare, decided, cores, cpuMs }: Turns & { readonly cpuMs: number }): boolean {
  const overhead = median(decided.map(({ perSecond }, round) => (bare[round]?.perSecond ?? Number.NaN) / perSecond));
  const rate = median(decided.map(({ perSecond }) => perSecond));
  const p99 = median(decided.map(({ p99Ms }) => p99Ms));
  print(`overhead over the bare signature   ${overhead.toFixed(2)} (limit ${overheadMax})`);
  print(`decisions per second               ${rate.toFixed(0)} (limit ${perSecondMin})`);
  print(
    `p50, p99 of a decision in ms       ${median(decided.map(({ p50Ms }) => p50Ms)).toFixed(1)}, ${p99.toFixed(1)} (limit ${p99MsMax})`,
  );
  print(`bare SoftHSM signatures per second ${median(bare.map(({ perSecond }) => perSecond)).toFixed(0)}`);
  print(`processor time of a decision in ms ${cpuMs.toFixed(2)}`);
  print(`busy cores while it is decided     ${cores.toFixed(1)}`);
  return rate >= perSecondMin && p99 < p99MsMax && overhead <= overheadMax;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
