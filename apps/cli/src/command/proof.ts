import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { chainOf, checksumAddress, parseAssetId, parseChainId } from '@bulkhead/domain';
import { besideRunning, loadConfiguration, openCustody, proofRegistryDeployment, publishProof } from '@bulkhead/server';
import { isHexOf, standardFactory } from '@bulkhead/vaults';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { withChain } from './address.ts';
import { handOutPackage, makeProof, showProofs } from './proof-epochs.ts';
import { findLayout } from './proof-layout.ts';

const actions: Readonly<Record<string, (terminal: Terminal) => Promise<ExitCode>>> = {
  deploy,
  make: makeProof,
  show: showProofs,
  package: handOutPackage,
  publish,
  layout: findLayout,
};

export async function proof(terminal: Terminal): Promise<ExitCode> {
  const [action = '', ...words] = terminal.words;
  const run = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (run !== undefined) return run({ ...terminal, words });
  throw new UsageError(`proof knows: ${Object.keys(actions).join(', ')}. "bulkhead help proof" explains them.`);
}

/** Brings the proofs of one asset as far as they can be brought now, beside the server or instead of its schedule. */
async function publish(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('proof', terminal.words, { asset: { type: 'string' }, now: { type: 'boolean' } });
  const asset = parseAssetId(needed('proof publish', 'asset', options.asset));
  const configuration = await withChain(terminal, chainOf(asset));
  await using opened = await withProgress(terminal, 'opening', () => openCustody(configuration));
  const { done, troubles } = await withProgress(terminal, 'proving', () =>
    publishProof(opened.custody, asset, { asked: options.now === true }),
  );
  for (const line of [...done, ...troubles]) terminal.out(line);
  if (done.length + troubles.length === 0) terminal.out(`Nothing of ${asset} is to be done now.`);
  return troubles.length === 0 ? exitCodes.ok : exitCodes.found;
}

/** Tells what makes a registry of proofs on a chain, and, where it is there, what configuration and signers have to know. */
async function deploy(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('proof', terminal.words, {
    chain: { type: 'string' },
    custodian: { type: 'string' },
    window: { type: 'string' },
    'draw-delay': { type: 'string' },
    'commit-within': { type: 'string' },
    cadence: { type: 'string' },
    'prove-within': { type: 'string' },
    out: { type: 'string' },
  });
  const number = (name: 'window' | 'draw-delay' | 'commit-within' | 'cadence' | 'prove-within'): bigint =>
    numberOf(name, options[name]);
  const custodian = needed('proof deploy', 'custodian', options.custodian);
  if (!isHexOf(custodian, 32) || BigInt(custodian) === 0n) {
    throw new UsageError(
      '--custodian needs 0x and 64 lower-case hex digits, not all zero: a name of yours that never changes, such as the SHA-256 of your LEI.',
    );
  }
  const order = {
    chain: parseChainId(needed('proof deploy', 'chain', options.chain)),
    settings: {
      custodian,
      window: number('window'),
      drawDelay: number('draw-delay'),
      commitWithin: number('commit-within'),
      cadence: number('cadence'),
      proveWithin: number('prove-within'),
    },
  };
  const configuration = await besideRunning(loadConfiguration(terminal.folder, terminal.environment));
  const { at, plan, done } = await withProgress(terminal, 'asking the chain', () =>
    proofRegistryDeployment(configuration, order),
  );
  const where = checksumAddress(plan.registry);
  terminal.out(`At block ${at.number} (${at.hash}), which is final:`);
  if (done === undefined) {
    terminal.out(`The registry is missing; it will be ${where}, made by ${checksumAddress(standardFactory)}.`);
    tellOpen(terminal, { ...plan.transaction, value: '0x0' }, options.out);
    return exitCodes.found;
  }
  terminal.out(`The registry ${where} is there.`);
  terminal.out(
    `\nFor /chains of the configuration, as "proofRegistry" of ${order.chain}; list what is proven in assets:`,
  );
  terminal.out(JSON.stringify(done.section, undefined, 2));
  terminal.out(
    '\nFor the registry of the signers, a policy-change that the root quorum approves (POST /v1/registry-changes):',
  );
  terminal.out(JSON.stringify(done.item, undefined, 2));
  return exitCodes.ok;
}

function numberOf(name: string, word: string | undefined): bigint {
  const text = needed('proof deploy', name, word);
  if (!/^[1-9][0-9]{0,8}$/u.test(text)) throw new UsageError(`--${name} needs a whole number above 0.`);
  return BigInt(text);
}

function tellOpen(terminal: Terminal, transaction: object, out: string | undefined): void {
  if (out === undefined) terminal.out(JSON.stringify([transaction]));
  else {
    const path = resolve(terminal.folder, out);
    writeFileSync(path, `${JSON.stringify([transaction], undefined, 2)}\n`, { flag: 'wx' });
    terminal.out(`Written to ${path}.`);
  }
  terminal.out('Send this from any account; nobody gets a right by it. Then run this again.');
}
