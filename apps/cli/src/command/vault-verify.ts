import { resolve } from 'node:path';
import { type Address, checksumAddress, parseAddress } from '@bulkhead/domain';
import type { Hex } from '@bulkhead/vaults';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { openQuestions } from '../vault/chain-questions.ts';
import { readCertificate } from '../vault/vault-certificate.ts';
import type { Verification } from '../vault/verification.ts';

/** Examines a vault from chain data alone, and says what it could not know. */
export async function vaultVerify(terminal: Terminal): Promise<ExitCode> {
  const [first, ...words] = terminal.words;
  const vault = vaultOf('vault verify', first);
  const options = readOptions('vault', words, {
    rpc: { type: 'string' },
    certificate: { type: 'string' },
    from: { type: 'string' },
    'block-hash': { type: 'string' },
    json: { type: 'boolean' },
  });
  const questions = openQuestions(needed('vault verify', 'rpc', options.rpc));
  const certificate =
    options.certificate === undefined ? undefined : readCertificate(resolve(terminal.folder, options.certificate));
  const order = {
    questions,
    vault,
    certificate,
    from: heightOf(options.from ?? '0'),
    blockHash: options['block-hash'] === undefined ? undefined : hashOf(options['block-hash']),
  };
  // Proofs need a library that nothing else here loads.
  const { verifyVault } = await import('../vault/verification.ts');
  const verification = await withProgress(terminal, 'reading the chain', () => verifyVault(order));
  const wrong = verification.steps.some(({ result }) => result === 'wrong');
  if (options.json === true) terminal.out(JSON.stringify(jsonOf(verification), undefined, 2));
  else tell(terminal, verification);
  return wrong ? exitCodes.found : exitCodes.ok;
}

/** @throws UsageError, CustodyError `address/checksum` */
export function vaultOf(command: string, word: string | undefined): Address {
  if (word === undefined || word.startsWith('-')) {
    throw new UsageError(`${command} needs the address of a vault first.`);
  }
  return parseAddress(word);
}

function heightOf(word: string): bigint {
  if (!/^(?:0|[1-9][0-9]{0,15})$/u.test(word)) throw new UsageError('--from needs the number of a block.');
  return BigInt(word);
}

function hashOf(word: string): Hex {
  const digits = word.toLowerCase();
  if (!/^0x[0-9a-f]{64}$/u.test(digits)) throw new UsageError('--block-hash needs 0x and 64 hex digits.');
  return `0x${digits.slice(2)}`;
}

const marks = { ok: 'ok     ', wrong: 'WRONG  ', unknown: 'unknown' } as const;

function tell(terminal: Terminal, { vault, block, steps, unknowns }: Verification): void {
  for (const { name, result, reason } of steps) terminal.out(`${marks[result]} ${name}: ${reason}`);
  terminal.out('\nWhat could not be known:');
  for (const unknown of unknowns) terminal.out(`- ${unknown}`);
  const wrong = steps.filter(({ result }) => result === 'wrong').length;
  const verdict = wrong === 0 ? 'nothing wrong was found' : `${wrong} of ${steps.length} things are wrong`;
  terminal.out(`\n${checksumAddress(vault)} at block ${block.height}: ${verdict}.`);
}

function jsonOf({ vault, block, steps, unknowns }: Verification): object {
  const wrong = steps.some(({ result }) => result === 'wrong');
  return { vault, block: { height: String(block.height), hash: block.hash }, wrong, steps, unknowns };
}
