import type { GivenFile, Pins, Report } from '@bulkhead/verifier';
import { examine } from '@bulkhead/verifier/whole';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { addressIn, describe, type Description } from './description.ts';
import { type NodeTrouble, troubleBook, watchedNode } from './watched-node.ts';

/** Something that a person brought: a file, or a text. It is read where it is looked into, and not before. */
export type Brought = { readonly name: string; readonly content: Blob };

/** What the page asks, of its worker or of itself. */
export type Question =
  | { readonly ask: 'what'; readonly brought: readonly Brought[] }
  | {
      readonly ask: 'check';
      readonly brought: readonly Brought[];
      readonly pins: Pins;
      readonly nodes: readonly string[];
    };

export type Checked = {
  readonly report: Report;
  readonly troubles: readonly NodeTrouble[];
  readonly digests: readonly { readonly name: string; readonly sha256: string }[];
};

export type Answer = { readonly descriptions: readonly Description[] } | { readonly checked: Checked };

/** Answers a question. @param progress hears in a few words what is being done */
export async function answerTo(question: Question, progress: (what: string) => void): Promise<Answer> {
  progress('Reading');
  const files = await Promise.all(question.brought.map(read));
  return question.ask === 'what'
    ? { descriptions: describe(files) }
    : { checked: await check(files, { ...question, progress }) };
}

/** A file on a disk may have been changed or moved since it was chosen; browsers then refuse to read it. */
async function read({ name, content }: Brought): Promise<GivenFile> {
  try {
    return { name, bytes: new Uint8Array(await content.arrayBuffer()) };
  } catch (cause) {
    throw new Error(`${name} cannot be read any more. Choose it again.`, { cause });
  }
}

async function check(
  brought: readonly GivenFile[],
  of: { readonly pins: Pins; readonly nodes: readonly string[]; readonly progress: (what: string) => void },
): Promise<Checked> {
  const book = troubleBook();
  const report = await examine({
    // An address is what a certificate is held against, and no file.
    files: brought.filter((file) => addressIn(file) === undefined),
    pins: of.pins,
    nodes: of.nodes.map((url) => watchedNode(url, book)),
    nowSeconds: BigInt(Math.floor(Date.now() / 1_000)),
    progress: of.progress,
  });
  const digests = brought.map(({ name, bytes }) => ({ name, sha256: bytesToHex(sha256(bytes)) }));
  return { report, troubles: book.all(), digests };
}
