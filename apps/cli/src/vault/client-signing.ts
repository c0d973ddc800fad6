import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Address, checksumAddress } from '@bulkhead/domain';
import {
  accountOf,
  type Hex,
  nativeToken,
  passkeySignature,
  type TypedData,
  walletAnswerSignature,
} from '@bulkhead/vaults';
import { askSecret, isTyped } from '../command/approve-input.ts';
import { needed } from '../command-line.ts';
import { UsageError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import { openSigningKey, type SigningKey } from './signing-key.ts';

/** What a key of the client signed, with the numbers that stand in every message. */
export type Signed = {
  readonly message: { readonly nonce: bigint; readonly deadline: bigint };
  readonly signature: Hex;
};

export async function openKey(
  terminal: Terminal,
  file: string | undefined,
  secretFile: string | undefined,
): Promise<SigningKey> {
  if (file === undefined) {
    throw new UsageError('This needs --relayer: a key file of any account with coin for gas. It gets no right by it.');
  }
  const path = resolve(terminal.folder, file);
  return await openSigningKey(path, async () => {
    if (secretFile !== undefined) {
      return readFileSync(resolve(terminal.folder, secretFile), 'utf8').replace(/\r?\n$/u, '');
    }
    if (isTyped()) return await askSecret(`Passphrase of ${path}: `);
    throw new UsageError(`Nobody is there to type the passphrase of ${path}: give a file with it.`);
  });
}

/** Writes down what is to be signed elsewhere; an existing file is not replaced. */
export function writeMessage(terminal: Terminal, file: string, data: TypedData): string {
  const path = resolve(terminal.folder, file);
  try {
    writeFileSync(path, `${JSON.stringify(data, undefined, 2)}\n`, { flag: 'wx' });
  } catch (cause) {
    throw new UsageError(`${path} cannot be written: ${cause instanceof Error ? cause.message : ''}.`);
  }
  return path;
}

/** What was signed elsewhere, over the message in the file. */
export function signedElsewhere(
  terminal: Terminal,
  command: string,
  given: { readonly message?: string | undefined; readonly signature?: string | undefined },
): Signed {
  const path = resolve(terminal.folder, needed(command, 'message', given.message));
  const message = fieldsOf(fieldsIn(path).get('message'));
  const signature = needed(command, 'signature', given.signature);
  return {
    message: { nonce: numberOf(message.get('nonce')), deadline: numberOf(message.get('deadline')) },
    signature: /^0x[0-9a-fA-F]*$/u.test(signature)
      ? walletAnswerSignature(`0x${signature.slice(2).toLowerCase()}`)
      : assertionIn(resolve(terminal.folder, signature)),
  };
}

/** An assertion of a passkey: `{"x","y","authenticatorData","clientDataJson","signature"}`, hex with 0x. */
function assertionIn(path: string): Hex {
  const assertion = fieldsIn(path);
  const hex = (name: string): Hex => {
    const value = assertion.get(name);
    if (typeof value === 'string' && /^0x[0-9a-f]*$/u.test(value)) return `0x${value.slice(2)}`;
    throw new UsageError(`${path} is no assertion: "${name}" is not 0x and lower-case hex.`);
  };
  return passkeySignature(
    { x: BigInt(hex('x')), y: BigInt(hex('y')) },
    { authenticatorData: hex('authenticatorData'), clientDataJson: hex('clientDataJson'), signature: hex('signature') },
  );
}

function numberOf(value: unknown): bigint {
  if (typeof value === 'string' && /^(?:0|[1-9][0-9]{0,77})$/u.test(value)) return BigInt(value);
  throw new UsageError('The file of --message is not what this command wrote.');
}

function fieldsIn(path: string): ReadonlyMap<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: ${cause instanceof Error ? cause.message : ''}.`);
  }
  return fieldsOf(value);
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
}

export function tokenText(token: Address): string {
  return token === nativeToken ? 'native coin' : checksumAddress(token);
}

export function keyText(id: Hex): string {
  const account = accountOf(id);
  return account === undefined ? `the passkey ${id}` : checksumAddress(account);
}

export function timeText(seconds: bigint): string {
  return new Date(Number(seconds) * 1_000).toISOString();
}
