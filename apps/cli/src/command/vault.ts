import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { checksumAddress, parseAddress, parseChainId } from '@bulkhead/domain';
import { besideRunning, loadConfiguration, vaultDeployment, type VaultDeployment } from '@bulkhead/server';
import { standardFactory } from '@bulkhead/vaults';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { vaultChange } from './vault-change.ts';
import { vaultExit } from './vault-exit.ts';
import { vaultHeartbeat } from './vault-heartbeat.ts';
import { setOf, vaultSigners } from './vault-signers.ts';
import { vaultVerify } from './vault-verify.ts';

export async function vault(terminal: Terminal): Promise<ExitCode> {
  const [what, ...words] = terminal.words;
  if (what === 'deploy') return deploy({ ...terminal, words });
  if (what === 'verify') return vaultVerify({ ...terminal, words });
  if (what === 'exit') return vaultExit({ ...terminal, words });
  if (what === 'change') return vaultChange({ ...terminal, words });
  if (what === 'signers') return vaultSigners({ ...terminal, words });
  if (what === 'heartbeat') return vaultHeartbeat({ ...terminal, words });
  throw new UsageError(
    'vault takes deploy, heartbeat, verify, exit, change or signers. "bulkhead help vault" shows how.',
  );
}

/** Tells what is missing on a chain before there can be vaults, and, where nothing is, what configuration and registry have to say. */
async function deploy(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('vault', terminal.words, {
    chain: { type: 'string' },
    member: { type: 'string', multiple: true },
    threshold: { type: 'string' },
    'change-delay': { type: 'string' },
    'fee-receiver': { type: 'string' },
    out: { type: 'string' },
  });
  const order = {
    chain: parseChainId(needed('vault deploy', 'chain', options.chain)),
    set: {
      ...setOf(options.member ?? [], needed('vault deploy', 'threshold', options.threshold)),
      changeDelay: numberOf('change-delay', options['change-delay']),
    },
    feeReceiver: parseAddress(needed('vault deploy', 'fee-receiver', options['fee-receiver'])),
  };
  const configuration = await besideRunning(loadConfiguration(terminal.folder, terminal.environment));
  const deployment = await withProgress(terminal, 'asking the chain', () => vaultDeployment(configuration, order));
  tellFound(terminal, deployment);
  if (deployment.done === undefined) return tellOpen(terminal, deployment, options.out);
  terminal.out(`\nFor /chains of the configuration, as "vaults" of ${order.chain}:`);
  terminal.out(JSON.stringify(deployment.done.section, undefined, 2));
  terminal.out(
    '\nFor the registry of the signers, a policy-change that the root quorum approves (POST /v1/registry-changes):',
  );
  terminal.out(JSON.stringify(deployment.done.item, undefined, 2));
  return exitCodes.ok;
}

function numberOf(name: string, word: string | undefined): bigint {
  const text = needed('vault deploy', name, word);
  if (!/^[1-9][0-9]{0,8}$/u.test(text)) throw new UsageError(`--${name} needs a whole number above 0.`);
  return BigInt(text);
}

const passkeyWords = {
  chain: 'Passkeys are verified by the chain itself.',
  vault:
    'Passkeys are verified by the vaults: this chain has no precompile for P-256, so each signature takes about 240,000 gas more.',
} as const;

function tellFound(terminal: Terminal, { found }: VaultDeployment): void {
  const { at, standard, passkeys } = found;
  terminal.out(`At block ${at.number} (${at.hash}), which is final:`);
  terminal.out(
    standard
      ? passkeyWords[passkeys]
      : `The deterministic deployment proxy ${checksumAddress(standardFactory)} is not on this chain. Have it deployed first: its addresses are the same everywhere.`,
  );
}

function tellOpen(terminal: Terminal, { open, found }: VaultDeployment, out: string | undefined): ExitCode {
  const transactions = open.map(({ to, data }) => ({ to, value: '0x0', data }));
  for (const { contract, creates } of open) {
    terminal.out(`The ${contract} is missing; it will be ${checksumAddress(creates)}.`);
  }
  if (open.length === 0) {
    terminal.out(`Missing: ${found.missing.join(', ')}. Wait until the block that has them is final.`);
  } else if (out === undefined) terminal.out(JSON.stringify(transactions));
  else {
    const path = resolve(terminal.folder, out);
    writeFileSync(path, `${JSON.stringify(transactions, undefined, 2)}\n`, { flag: 'wx' });
    terminal.out(`Written to ${path}.`);
  }
  if (open.length > 0) {
    terminal.out('Send these from any account, in any order; nobody gets a right by it. Then run this again.');
  }
  return exitCodes.found;
}
