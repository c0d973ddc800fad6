import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { examine, type Report } from '@bulkhead/verifier';
import type { Pins } from './pin-field.ts';
import type { Brought } from './recognition.ts';
import { type NodeTrouble, troubleBook, watchedNode } from './watched-node.ts';

export type Question = { readonly brought: readonly Brought[]; readonly pins: Pins };

export type Answer = {
  readonly report: Report;
  readonly troubles: readonly NodeTrouble[];
  readonly digests: readonly { readonly name: string; readonly sha256: string }[];
};

export async function answerTo({ brought, pins }: Question, progress: (what: string) => void): Promise<Answer> {
  const book = troubleBook();
  const nodes = (pins.nodes ?? []).map((url) => watchedNode(url, book));
  const [first] = brought;
  const { registry, client, compartment, amount } = pins;
  if (
    first === undefined ||
    registry === undefined ||
    compartment === undefined ||
    client === undefined ||
    amount === undefined
  ) {
    throw new Error('incomplete');
  }
  progress('Asking the nodes');
  const report = await examine({
    files: [first],
    pins: { registry, own: { holder: new TextEncoder().encode(client), compartment, amount } },
    nodes,
  });
  return {
    report,
    troubles: book.all(),
    digests: brought.map(({ name, bytes }) => ({ name, sha256: bytesToHex(sha256(bytes)) })),
  };
}
