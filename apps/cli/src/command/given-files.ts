import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { readAtMost } from '@bulkhead/domain';
import { manifestName, proofFiles, readManifest } from '@bulkhead/proofs';
import type { GivenFile } from '@bulkhead/verifier';
import { UsageError } from '../exit-code.ts';

/** Bytes of one file that are read at most: the leaves of ten million clients have some 1.2 GB. */
const fileBytesMax = 1_500_000_000;

/** Files and folders that were named on the command line. Of a folder everything in it is read, but no folder below. @throws UsageError */
export function readGiven(folder: string, names: readonly string[]): readonly GivenFile[] {
  return names.flatMap((name) => {
    const path = resolve(folder, name);
    if (!isFolder(path)) return [{ name: basename(path), bytes: readBytes(path) }];
    const inside = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isFile());
    return inside.map((entry) => ({ name: entry.name, bytes: readBytes(join(path, entry.name)) }));
  });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function readBytes(path: string): Uint8Array {
  try {
    const { size } = statSync(path);
    if (size > fileBytesMax) throw new UsageError(`${path} has ${size} bytes, at most ${fileBytesMax} are read.`);
    return Uint8Array.from(readFileSync(path));
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`${path} cannot be read: ${cause instanceof Error ? cause.message : ''}.`);
  }
}

/** Whether a word is the address of a folder on a web server. */
export function isAddress(word: string): boolean {
  return URL.canParse(word) && /^https?:$/u.test(new URL(word).protocol);
}

/** The manifest at an address, and the files that it lists. What is not there is not given. @throws UsageError */
export async function fetchGiven(address: string, progress: (what: string) => void): Promise<readonly GivenFile[]> {
  const base = address.endsWith('/') ? address : `${address}/`;
  const manifest = await fetchBytes(new URL(manifestName, base));
  const listed = manifest === undefined ? undefined : readManifest(manifest);
  if (manifest === undefined || listed === undefined) {
    throw new UsageError(`There is no ${manifestName} of a proof at ${base}.`);
  }
  const given: GivenFile[] = [{ name: manifestName, bytes: manifest }];
  for (const name of proofFiles.filter((each) => listed.files.has(each))) {
    progress(`fetching ${name}`);
    const bytes = await fetchBytes(new URL(name, base));
    if (bytes !== undefined) given.push({ name, bytes });
  }
  return given;
}

async function fetchBytes(address: URL): Promise<Uint8Array | undefined> {
  const unread = (cause: unknown): never => {
    throw new UsageError(`${address.href} cannot be read: ${cause instanceof Error ? cause.message : ''}.`);
  };
  const response = await fetch(address, { redirect: 'error' }).catch(unread);
  if (response.status === 404 || response.status === 403) return undefined;
  if (!response.ok) throw new UsageError(`${address.href} answers ${response.status}.`);
  const bytes = await readAtMost(response.body, fileBytesMax).catch(unread);
  if (bytes === undefined) throw new UsageError(`${address.href} is longer than ${fileBytesMax} bytes.`);
  return bytes;
}
