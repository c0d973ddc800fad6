import { benchAddresses } from './addresses.ts';
import { benchLedger } from './ledger.ts';
import { benchLog } from './log.ts';
import { benchProofs } from './proofs.ts';
import { benchReconcile } from './reconcile.ts';
import { benchScan } from './scan.ts';
import { benchSigning } from './signing.ts';
import { benchVaults } from './vaults.ts';

type Bench = { readonly summary: string; run(args: readonly string[]): Promise<boolean> };

/** Every bench by name. Each prints ratios first and answers whether its thresholds hold. */
const benches: Readonly<Record<string, Bench>> = {
  ledger: {
    summary:
      'posting against a textbook ledger and a bare insert; --seconds n, --rounds n, --grow entries, --skip-grow',
    run: benchLedger,
  },
  log: {
    summary: 'the audit log sequenced against a bare copy of the same facts, and verified; --leaves n',
    run: benchLog,
  },
  addresses: {
    summary: 'deposit addresses from account xpubs against the C libraries alone',
    run: benchAddresses,
  },
  scan: {
    summary: 'calls for each block and memory for a million watched addresses',
    run: benchScan,
  },
  reconcile: {
    summary: 'calls to read 10,000 addresses in two assets at one block',
    run: benchReconcile,
  },
  signing: {
    summary: 'decisions of the hardened signer against bare SoftHSM signatures; --enrolled n',
    run: benchSigning,
  },
  proofs: {
    summary:
      'proofs of reserves against a Merkle tree of others and a textbook prover; --leaves n, --proven n, --rounds n',
    run: benchProofs,
  },
  vaults: {
    summary: 'gas of vaults beside a Safe doing the same, from receipts, and an estimate at the prices of EIP-8037',
    run: benchVaults,
  },
};

const help = `npm run bench -- <name> [options]

${Object.entries(benches)
  .map(([name, bench]) => `  ${name.padEnd(12)}${bench.summary}`)
  .join('\n')}

Without a name all of them run. Figures are ratios between candidates of one run; only those can be compared.
`;

const [name, ...args] = process.argv.slice(2);
if (name === 'help' || name === '--help') {
  process.stdout.write(help);
} else {
  const chosen = name === undefined || name.startsWith('--') ? Object.keys(benches) : [name];
  const rest = name?.startsWith('--') === true ? [name, ...args] : args;
  for (const each of chosen) {
    const bench = Object.hasOwn(benches, each) ? benches[each] : undefined;
    if (bench === undefined) {
      process.stderr.write(`There is no bench "${each}".\n\n${help}`);
      process.exitCode = 2;
      break;
    }
    process.stdout.write(`\n${each}: ${bench.summary}\n`);
    if (!(await bench.run(rest))) process.exitCode = 1;
  }
}
