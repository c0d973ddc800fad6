import { fileURLToPath } from 'node:url';
import { invariant, parseAssetId, parseCompartment } from '@bulkhead/domain';
import {
  type Claim,
  confidentialLeaves,
  confidentialPackage,
  confidentialSummary,
  type ConfidentialWork,
  contextOf,
  type EpochWork,
  epochSecrets,
  fastBlockHasher,
  fastGroup,
  leafTasks,
  makeCommitmentTree,
  makeConfidentialBook,
  makePlainBook,
  makeSumTree,
  plainPackage,
  proveTask,
  type ReserveHeader,
  solvencyTasks,
  verifyConfidentialLeaves,
  verifyConfidentialPackage,
  verifyConfidentialSummary,
  verifyPlainPackage,
} from '@bulkhead/proofs';
import { textbookTask } from '@bulkhead/proofs/testing';
import { callInPage, launchChromium } from '@bulkhead/verify/testing';
import { median } from './measure.ts';
import type { HeldPackage } from './page-checks.ts';
import { merkleBaseline } from './proofs-baseline.ts';

const pool = parseCompartment(10_000);

/** What the issue of the proofs asks for, in the units of the lines below. */
const wanted = {
  treeRatio: 3,
  treeSeconds: 20,
  treeMegabytes: 600,
  packageBytes: 1_600,
  proveMsPerLeaf: 175,
  proveRatio: 3,
  verifyMsPerLeaf: 1.4,
  clientMs: 50,
} as const;

function workOf(tier: ReserveHeader['tier'], bits: ReserveHeader['bits']): EpochWork {
  const header: ReserveHeader = {
    tier,
    bits,
    registryChain: 1n,
    registry: new Uint8Array(20).fill(0x71),
    custodian: new Uint8Array(32).fill(0xc0),
    epoch: 1n,
    asset: parseAssetId('eip155:1/slip44:60'),
    unitExponent: 0,
    blockNumber: 21_000_000n,
    blockHash: new Uint8Array(32).fill(0xb1),
    ledgerPosition: 1n,
    takenAt: 1_790_000_000n,
    previous: new Uint8Array(32),
  };
  const context = contextOf(header);
  return { header, context, hasher: fastBlockHasher(), secrets: epochSecrets(new Uint8Array(32).fill(5), context) };
}

/** Claims one by one: a million of them at once would be most of the memory. */
function* claimsOf(count: number): Generator<Claim> {
  for (let at = 0; at < count; at += 1) yield claimAt(at);
}

function claimAt(at: number): Claim {
  const holder = new Uint8Array(32);
  new DataView(holder.buffer).setUint32(28, at);
  return { kind: 'client', holder, amount: BigInt(at) * 1_000_007n };
}

/**
 * Milliseconds of processor time, that of the collector's threads included: one thread works, and on a machine that has other
 * work the clock on the wall says what those others do.
 */
function timed(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

type Line = {
  readonly name: string;
  readonly value: number;
  readonly bound: number;
  readonly least: boolean;
  readonly unit: string;
};

function say({ name, value, bound, least, unit }: Line): boolean {
  const holds = least ? value >= bound : value <= bound;
  const sign = least ? '>=' : '<=';
  process.stdout.write(
    `  ${name.padEnd(64)}${value.toFixed(2)} ${unit} (${sign} ${bound})${holds ? '' : '  MISSED'}\n`,
  );
  return holds;
}

/** Whether the lines of a tier hold, and a package of it for whoever goes on. */
type Benched = { readonly held: boolean; readonly package: HeldPackage };

async function benchPlain(rounds: number, leaves: number): Promise<Benched> {
  const work = workOf('plain', 128);
  // First, because what the others leave behind is no memory of this.
  const million = 1_000_000;
  const seconds =
    timed(() => makeSumTree(work, { compartment: pool, claims: claimsOf(million), count: million })) / 1_000;
  const megabytes = process.resourceUsage().maxRSS / 1_024;
  const buildBaseline = await merkleBaseline();
  // Made before: what is compared is building, not where the claims come from.
  const claims = [...claimsOf(leaves)];
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const own = timed(() => makeSumTree(work, { compartment: pool, claims, count: leaves }));
    const other = timed(() => buildBaseline(leaves));
    // The first round warms both up.
    if (round > 0) [ours, theirs].forEach((list, at) => list.push(at === 0 ? own : other));
  }
  const tree = makeSumTree(work, { compartment: pool, claims: claimsOf(1_000), count: 1_000 });
  const book = makePlainBook(work, [{ tree, reserves: tree.liabilities }]);
  const bytes = plainPackage(work, book, { tree, claim: claimAt(7), at: 7 });
  const known = { pin: { context: work.context, record: book.book.record }, own: { ...claimAt(7), compartment: pool } };
  const check = medianOf(20, () => verifyPlainPackage(bytes, known));
  const lines: readonly Line[] = [
    {
      name: `tree of ${leaves} leaves, times fixed-merkle-tree with Keccak`,
      value: median(theirs) / median(ours),
      bound: wanted.treeRatio,
      least: true,
      unit: 'x',
    },
    { name: 'tree of 1,000,000 leaves', value: seconds, bound: wanted.treeSeconds, least: false, unit: 's' },
    {
      name: 'memory of the process after it, at most',
      value: megabytes,
      bound: wanted.treeMegabytes,
      least: false,
      unit: 'MB',
    },
    {
      name: 'package of a client among 10^7 in one pool',
      value: bytes.length + 48 * (24 - tree.depth),
      bound: wanted.packageBytes,
      least: false,
      unit: 'bytes',
    },
    { name: 'a client checks it', value: check, bound: wanted.clientMs, least: false, unit: 'ms' },
  ];
  return { held: lines.map(say).every(Boolean), package: { tier: 'plain', bytes, known } };
}

function medianOf(rounds: number, work: () => unknown): number {
  const times: number[] = [];
  work();
  for (let round = 0; round < rounds; round += 1) times.push(timed(work));
  return median(times);
}

function benchConfidential(rounds: number, leaves: number): Benched {
  const group = fastGroup();
  const work: ConfidentialWork = { ...workOf('confidential', 64), group };
  const tree = makeCommitmentTree(work, { compartment: pool, claims: claimsOf(leaves), count: leaves });
  const book = makeConfidentialBook(work, [{ tree, reserves: tree.opening.units }]);
  const times: number[] = [];
  const proofs: Uint8Array[] = [];
  for (const task of leafTasks(work, book)) times.push(timed(() => proofs.push(proveTask(group, task))));
  const [some] = leafTasks(work, book);
  invariant(some !== undefined, 'There is a group of leaves.');
  // Two of the sixteen: the textbook needs a minute for all of them, and its time for a leaf is the same.
  const pair = {
    ...some,
    commitments: some.commitments.slice(0, 2),
    values: some.values.slice(0, 2),
    blindings: some.blindings.slice(0, 2),
  };
  const textbook = medianOf(Math.min(2, rounds), () => textbookTask(pair));
  const pin = { context: work.context, record: book.book.record };
  const solvent = Array.from(solvencyTasks(work, book), (task) => proveTask(group, task));
  const shown = verifyConfidentialSummary(group, confidentialSummary(work, book, solvent), pin);
  invariant(shown.holds, 'A summary that was made for this holds.');
  const published = confidentialLeaves(book, proofs);
  let held = true;
  const verify = medianOf(rounds, () => {
    held = verifyConfidentialLeaves(group, published, shown).holds && held;
  });
  const bytes = confidentialPackage(work, book, { tree, claim: claimAt(7), at: 7 });
  const known = { pin, own: { ...claimAt(7), compartment: pool } };
  const check = medianOf(20, () => verifyConfidentialPackage(group, bytes, known));
  const perLeaf = median(times.slice(1)) / 16;
  const lines: readonly Line[] = [
    {
      name: 'proof of a group of 16, for each leaf',
      value: perLeaf,
      bound: wanted.proveMsPerLeaf,
      least: false,
      unit: 'ms',
    },
    {
      name: 'the same, times the textbook prover (pairs)',
      value: textbook / 2 / perLeaf,
      bound: wanted.proveRatio,
      least: true,
      unit: 'x',
    },
    {
      name: `check of ${leaves} leaves, tree, sum and proofs, for each leaf`,
      value: verify / leaves,
      bound: wanted.verifyMsPerLeaf,
      least: false,
      unit: 'ms',
    },
    { name: 'a client checks its package', value: check, bound: wanted.clientMs, least: false, unit: 'ms' },
  ];
  return { held: lines.map(say).every(Boolean) && held, package: { tier: 'confidential', bytes, known } };
}

/** Making and checking proofs of reserves, against a Merkle tree of another hand and the prover as the paper writes it. */
export async function benchProofs(args: readonly string[]): Promise<boolean> {
  const number = (name: string, otherwise: number): number => {
    const at = args.indexOf(name);
    return at === -1 ? otherwise : Number(args[at + 1]);
  };
  const rounds = number('--rounds', 3);
  const plain = await benchPlain(rounds, number('--leaves', 65_536));
  const confidential = benchConfidential(rounds, number('--proven', 256));
  const inPage = await benchInPage([plain.package, confidential.package]);
  return plain.held && confidential.held && inPage;
}

/** The same check where most clients make it: in a browser, compiled as the verification page is. */
async function benchInPage(packages: readonly HeldPackage[]): Promise<boolean> {
  const browser = await launchChromium();
  try {
    const lines: Line[] = [];
    for (const each of packages) {
      const module = fileURLToPath(new URL('page-checks.ts', import.meta.url));
      const [first, later] = readTimes(await callInPage(browser, { module, name: 'timeChecks', value: each }));
      const rest = { bound: wanted.clientMs, least: false, unit: 'ms' } as const;
      lines.push({ name: `a client checks it in Chromium, ${each.tier}, the first time`, value: first, ...rest });
      lines.push({ name: `a client checks it in Chromium, ${each.tier}, later`, value: later, ...rest });
    }
    return lines.map(say).every(Boolean);
  } finally {
    await browser.close();
  }
}

function readTimes(value: unknown): readonly [first: number, later: number] {
  if (typeof value === 'object' && value !== null && 'firstMs' in value && 'laterMs' in value) {
    return [Number(value.firstMs), Number(value.laterMs)];
  }
  throw new TypeError('The page gave no times.');
}
