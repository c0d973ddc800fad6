import {
  type Address,
  chainNumber,
  type Compartment,
  CustodyError,
  kindOf,
  parseAddress,
  parseChainId,
  parseCompartment,
  parseDecimal,
} from '@bulkhead/domain';
import { parseVerifierKey } from '@bulkhead/tlog';
import type { Pins } from '@bulkhead/verifier';

/** More than these nobody waits for. */
export const nodesMax: number = 5;
/** More addresses than these are no list that a person pasted. */
export const excludedMax: number = 10_000;
const listMax = 32;
const secondsOfHour = 3_600n;

function wrong(message: string): CustodyError {
  return new CustodyError('config/invalid', message);
}

/** Texts between spaces and line feeds, each once. */
function wordsOf(text: string, max: number): readonly string[] {
  const words = [...new Set(text.split(/[\s,]+/u).filter((word) => word !== ''))];
  if (words.length > max) throw wrong(`At most ${max} are taken.`);
  return words;
}

type Registry = NonNullable<Pins['registry']>;

/** A CAIP-10 account. */
export function registryOf(text: string): Registry {
  const [, chain = '', address = ''] = /^(eip155:[0-9]+):(0x[0-9a-fA-F]{40})$/u.exec(text) ?? [];
  if (chain === '') throw wrong('This is no chain and address, as in eip155:1:0x… with 40 digits after the 0x.');
  return { chain: BigInt(chainNumber(parseChainId(chain))), address: bytesOf(parseAddress(address)) };
}

export function codeHashOf(text: string): Uint8Array {
  if (/^0x[0-9a-fA-F]{64}$/u.test(text)) return bytesOf(text);
  throw wrong('The hash of a code is 0x and 64 hex digits.');
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.slice(2).match(/../gu) ?? [], (digits) => Number.parseInt(digits, 16));
}

/** Bytes of the id under which a claim stands in a proof. */
export function holderOf(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length >= 1 && bytes.length <= 64) return bytes;
  throw wrong('An id of a client has 1 to 64 characters.');
}

export function compartmentOf(text: string): Compartment {
  if (!/^(?:0|[1-9][0-9]{0,9})$/u.test(text)) throw wrong('The number of a compartment is digits alone.');
  const compartment = parseCompartment(Number(text));
  if (kindOf(compartment) !== 'house') return compartment;
  throw wrong(`${compartment} is a compartment of the custodian itself: no client has it.`);
}

function isDecimals(text: string): boolean {
  return /^[0-9]{1,2}$/u.test(text) && Number(text) <= 77;
}

export function decimalsOf(text: string): number {
  if (isDecimals(text)) return Number(text);
  throw wrong('Give the number of digits after the point, from 0 to 77.');
}

/** In the asset's smallest unit; undefined where the number of digits is wrong, which is said elsewhere. */
export function amountOf(text: string, decimals: string | undefined): bigint | undefined {
  if (decimals === undefined) throw wrong('How many digits has the asset after the point? Say so beside it.');
  return isDecimals(decimals) ? parseDecimal(text, Number(decimals)) : undefined;
}

export function nodesOf(text: string): readonly string[] {
  const urls = text.split(/\s+/u).filter((word) => word !== '');
  if (urls.length > nodesMax) throw wrong(`At most ${nodesMax} nodes are asked.`);
  for (const url of urls) {
    const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: '', hostname: '' };
    const here = protocol === 'http:' && (hostname === 'localhost' || hostname === '127.0.0.1');
    if (protocol === 'https:' || here) continue;
    throw wrong(`“${url.slice(0, 80)}” is no node that this page may ask: https://…, or http:// on this machine.`);
  }
  if (new Set(urls).size !== urls.length) throw wrong('The same node is there twice: that is no second opinion.');
  return urls;
}

/** Public keys of signers, in hex. */
export function identitiesOf(text: string): readonly string[] {
  const keys = wordsOf(text.toLowerCase(), listMax);
  const odd = keys.find((key) => !/^[0-9a-f]{64}$/u.test(key));
  if (odd !== undefined) throw wrong(`“${odd.slice(0, 80)}” is no identity key: 64 hex digits.`);
  return keys;
}

export function chainOf(text: string): string {
  return parseChainId(text);
}

export function addressOf(text: string): Address {
  return parseAddress(text);
}

export function deploymentOf(text: string): string {
  if (/^[0-9a-f]{32}$/u.test(text)) return text;
  throw wrong('The id of an installation is 32 hex digits.');
}

export function logKeyOf(text: string): string {
  if (parseVerifierKey(text).purpose === 'ed25519') return text;
  throw wrong('This is the key of a witness, not of a log.');
}

export function witnessesOf(text: string): readonly string[] {
  const keys = wordsOf(text, listMax);
  for (const key of keys) {
    if (parseVerifierKey(key).purpose !== 'cosignature') throw wrong(`“${key.slice(0, 60)}” is no key of a witness.`);
  }
  return keys;
}

export function countOf(text: string, most: number): number {
  if (/^[0-9]{1,2}$/u.test(text) && Number(text) <= most) return Number(text);
  throw wrong(`Of ${most} witnesses, 0 to ${most} can have cosigned.`);
}

type Token = NonNullable<Pins['tokens']>[number];

/** `0x…=9`, or `0x…=9:vyper`, and behind it the hash of the code that was read where somebody has it. */
export function tokenOf(text: string): Token {
  const [, token = '', slot = '', vyper, codeHash] =
    /^(0x[0-9a-fA-F]{40})=(0|[1-9][0-9]{0,77})(:vyper)?(?:\s+(\S+))?$/u.exec(text) ?? [];
  if (token === '') throw wrong('Give the token’s address and the slot of its balances, as in 0x…=9, or 0x…=9:vyper.');
  const form = vyper === undefined ? 'key-slot' : 'slot-key';
  const pinned: Token = { token: parseAddress(token), balances: { form, slot: BigInt(slot) } };
  return codeHash === undefined ? pinned : { ...pinned, codeHash: codeHashOf(codeHash) };
}

export function excludedOf(text: string): readonly Address[] {
  return wordsOf(text, excludedMax).map(parseAddress);
}

/** Seconds of so many hours. */
export function hoursOf(text: string): bigint {
  if (/^[1-9][0-9]{0,5}$/u.test(text)) return BigInt(text) * secondsOfHour;
  throw wrong('Give a whole number of hours.');
}
