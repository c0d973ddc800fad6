import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { malformed, wordBytes } from './fixed-width.ts';
import type { Tier } from './header.ts';

/** Files of one epoch and asset, in the order in which a manifest lists them. */
export const proofFiles = [
  'publication.bin',
  'summary.bin',
  'leaves.bin',
  'wallets.bin',
  'certificates.bin',
  'statements.bin',
] as const;

export type ProofFile = (typeof proofFiles)[number];

/** The name under which the manifest itself stands beside its files. */
export const manifestName = 'manifest.txt';

/** Files without which there is no whole proof. */
export const neededFiles: Readonly<Record<Tier, readonly ProofFile[]>> = {
  plain: ['publication.bin', 'wallets.bin'],
  confidential: ['summary.bin', 'leaves.bin', 'wallets.bin'],
};

/** What belongs to one proof: the SHA-256 of each file, 32 bytes, under the context that the registry pins. */
export type Manifest = {
  readonly context: Uint8Array;
  readonly files: ReadonlyMap<ProofFile, Uint8Array>;
};

const head = '# bulkhead/manifest/v1 ';

/** The text of a manifest, which `sha256sum -c` reads. @throws CustodyError `proof/malformed` */
export function manifestText({ context, files }: Manifest): string {
  if (files.size === 0) throw malformed('a manifest lists no file');
  const lines = proofFiles.flatMap((name) => {
    const digest = files.get(name);
    return digest === undefined ? [] : [`${hexOf(digest)}  ${name}\n`];
  });
  return `${head}${hexOf(context)}\n${lines.join('')}`;
}

function hexOf(word: Uint8Array): string {
  if (word.length !== wordBytes) throw malformed(`a hash has ${word.length} bytes, not ${wordBytes}`);
  return bytesToHex(word);
}

/** Reads a manifest; undefined for anything that {@link manifestText} does not write. */
export function readManifest(bytes: Uint8Array): Manifest | undefined {
  // Six lines of at most a hundred characters.
  if (bytes.length > 1_024) return undefined;
  const text = String.fromCharCode(...bytes);
  const [first = '', ...lines] = text.split('\n');
  const context = first.slice(head.length);
  if (!/^[0-9a-f]{64}$/u.test(context)) return undefined;
  const files = new Map<ProofFile, Uint8Array>();
  for (const line of lines.slice(0, -1)) {
    const [, digest, named] = /^([0-9a-f]{64}) {2}([a-z.]{1,20})$/u.exec(line) ?? [];
    const name = proofFiles.find((each) => each === named);
    if (digest === undefined || name === undefined) return undefined;
    files.set(name, hexToBytes(digest));
  }
  if (files.size === 0) return undefined;
  const manifest = { context: hexToBytes(context), files };
  // Order, repetition and the head show here: there is one text of each manifest.
  return manifestText(manifest) === text ? manifest : undefined;
}

/** What the registry has as `proof`: SHA-256 of the manifest's text. */
export function manifestDigest(manifest: Manifest): Uint8Array {
  return sha256(utf8ToBytes(manifestText(manifest)));
}

/** What a manifest has of a file. */
export function fileDigest(bytes: Uint8Array): Uint8Array {
  return sha256(bytes);
}
