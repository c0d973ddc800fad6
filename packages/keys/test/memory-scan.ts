import { hkdfSync } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { HDKey } from '@scure/bip32';
import { mnemonicToSeedSync } from '@scure/bip39';
import { identityLabel } from '../src/identity.ts';
import { mnemonicOfEntropy } from '../src/mnemonic.ts';

/**
 * What is looked for: bytes under a mask, so that neither the list nor the search puts a needle into the memory that is searched.
 * The masked form is made in another process.
 */
export type Needle = {
  readonly name: string;
  readonly form: 'raw' | 'limbs' | 'hex' | 'words';
  readonly masked: string;
};

export type Hit = { readonly name: string; readonly form: string; readonly where: string };

/** Over every byte of a needle. */
export const needleMask = 0xa7;
const maskWord = 0xa7a7a7a7 | 0;
const blockBytes = 1 << 20;
/** Longer than any needle. */
const overlapBytes = 4_096;

/** Everything from which a coin could be moved: the keys of one path and what they come from, in the forms that software gives them. */
export function needlesOf(entropy: Uint8Array, path: string): readonly Needle[] {
  const words = mnemonicOfEntropy(entropy);
  const seed = mnemonicToSeedSync(words);
  const secrets: [string, Uint8Array][] = [
    ['entropy', entropy],
    ['seed', seed],
    ['identity', Buffer.from(hkdfSync('sha256', entropy, new Uint8Array(0), identityLabel, 32))],
  ];
  const levels = path.split('/');
  for (let depth = 1; depth <= levels.length; depth++) {
    const name = levels.slice(0, depth).join('/');
    const { privateKey } = HDKey.fromMasterSeed(seed).derive(name);
    if (privateKey === null) throw new Error(`${name} has no private key`);
    secrets.push([name, privateKey]);
  }
  return [
    { name: 'words', form: 'words', masked: masked(Buffer.from(words, 'utf8')) },
    ...secrets.flatMap(([name, bytes]) => formsOf(name, bytes)),
  ];
}

function formsOf(name: string, bytes: Uint8Array): readonly Needle[] {
  const hex = Buffer.from(bytes).toString('hex');
  return [
    { name, form: 'raw', masked: masked(bytes) },
    // Limbs of a big integer, and words that a hash has turned round.
    { name, form: 'limbs', masked: masked(Buffer.from(bytes).reverse()) },
    ...(bytes.length % 8 === 0 ? [{ name, form: 'limbs', masked: masked(Buffer.from(bytes).swap64()) } as const] : []),
    { name, form: 'hex', masked: masked(Buffer.from(hex, 'ascii')) },
  ];
}

const masked = (bytes: Uint8Array): string => Buffer.from(bytes.map((byte) => byte ^ needleMask)).toString('hex');

export type Scan = { readonly hits: readonly Hit[]; readonly bytes: number };

/**
 * Every copy of a needle in the writable memory of a process. Locked pages that are closed are read too: the kernel does not ask
 * about protection here, only whether the reader may debug the process.
 *
 * @param of `self`, or the id of another process
 */
export function scanMemory(needles: readonly Needle[], of: 'self' | number): Scan {
  const wanted = needles.map(({ masked: text, ...rest }) => ({ ...rest, bytes: Buffer.from(text, 'hex') }));
  const memory = openSync(`/proc/${of}/mem`, 'r');
  const block = Buffer.alloc(blockBytes + overlapBytes);
  const hits: Hit[] = [];
  let total = 0;
  try {
    for (const { begin, end, label } of residentMappings(of)) {
      for (let at = begin; at < end; at += BigInt(blockBytes)) {
        const length = Number(end - at < BigInt(block.length) ? end - at : BigInt(block.length));
        const read = readMasked(memory, { block, length, at });
        total += Math.min(read, blockBytes);
        const text = block.subarray(0, read);
        const seen: { readonly hit: Hit; readonly bytes: Buffer; readonly at: bigint }[] = [];
        for (const { name, form, bytes } of wanted) {
          for (let found = text.indexOf(bytes); found !== -1; found = text.indexOf(bytes, found + 1)) {
            // What begins in the overlap is found again in the next block.
            if (found < blockBytes) seen.push({ hit: { name, form, where: label }, bytes, at: at + BigInt(found) });
          }
        }
        // Of the list of needles, which is masked, the block has what it looks for; where that was read just before the block itself
        // is, it finds its own copy. That one is gone now.
        if (seen.length > 0) block.fill(0);
        for (const { hit, bytes, at: where } of seen) {
          const again = readMasked(memory, { block, length: bytes.length, at: where });
          if (block.subarray(0, again).equals(bytes)) hits.push(hit);
          block.fill(0);
        }
      }
    }
  } finally {
    closeSync(memory);
  }
  return { hits, bytes: total };
}

type Mapping = { readonly begin: bigint; readonly end: bigint; readonly label: string };

/** Private memory that is in RAM or swap and that the process could have written to, or has closed since. */
function residentMappings(of: 'self' | number): readonly Mapping[] {
  const mappings: Mapping[] = [];
  for (const part of readFileSync(`/proc/${of}/smaps`, 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/mu)) {
    const [, from, to, access = '', name = ''] =
      /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+[ \t]*([^\n]*)/u.exec(part) ?? [];
    const kb = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'mu').exec(part)?.[1] ?? 0);
    if (from === undefined || to === undefined || name.startsWith('[v')) continue;
    if (!access.startsWith('rw') && name !== '') continue;
    if (kb('Rss') + kb('Swap') === 0) continue;
    mappings.push({ begin: BigInt(`0x${from}`), end: BigInt(`0x${to}`), label: `${access} ${name}`.trim() });
  }
  return mappings;
}

/** Masks what it reads at once, in place. Guard pages cannot be read and count as nothing. */
function readMasked(
  memory: number,
  of: { readonly block: Buffer; readonly length: number; readonly at: bigint },
): number {
  const { block, length, at } = of;
  let read: number;
  try {
    read = readSync(memory, block, 0, length, at);
  } catch {
    return 0;
  }
  const words = new Int32Array(block.buffer, block.byteOffset, block.length / 4);
  const used = Math.ceil(read / 4);
  for (let index = 0; index < used; index++) words[index] = (words[index] ?? 0) ^ maskWord;
  return read;
}
