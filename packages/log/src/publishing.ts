import { CustodyError, invariant, readAtMost } from '@bulkhead/domain';
import { bigintOrNull, type Database, only, text } from '@bulkhead/postgres';
import {
  checkpointText,
  consistencyProof,
  cosignatureLength,
  formatNoteSignature,
  formatSignedNote,
  formatWitnessRequest,
  parseNoteSignature,
  parseSignedNote,
  type VerifierKey,
  verifySignedNote,
} from '@bulkhead/tlog';
import { type CheckpointSigner, verifyEd25519 } from './log-key.ts';
import { committedHead, signedSize, storedNodes } from './log-reading.ts';

/** How long a witness may take to answer. */
export const witnessTimeoutMs = 5_000;
/** Bytes of a witness's answer that are read. A longer one says nothing. */
const answerLengthMax = 16_384;

/** A witness that the log asks; it need not be ours. */
export type Witness = {
  readonly key: VerifierKey;
  /** Its submission prefix, without a slash at the end. */
  readonly url: string;
};

/** What a witness answered. `conflict` above the own size, and `refused`, are news for people. */
export type WitnessAnswer =
  | { readonly status: 'cosigned'; readonly size: number }
  | { readonly status: 'rewound'; readonly size: number; readonly witnessed: number }
  | { readonly status: 'refused'; readonly size: number; readonly reason: string }
  | { readonly status: 'unreachable'; readonly reason: string };

/**
 * Has the newest committed head signed, if it is not yet. The head is in the database before anybody signs it: two processes, or
 * one that comes back after a crash, can have signed nothing but what all others see as well.
 *
 * @returns the size of the newest signed head; 0 while the log is empty
 */
export async function signHead(db: Database, signer: CheckpointSigner, now: Date): Promise<number> {
  const { size, root } = await committedHead(db);
  if (size === 0) return 0;
  if ((await db.query('select from log.checkpoint where size = $1', [size])).length > 0) return size;
  const { name, id } = signer.key;
  const body = checkpointText({ origin: name, size, root });
  const bytes = await signer.sign(new TextEncoder().encode(body), {
    head: { size, root },
    signed: await signedSize(db),
    continuation: (older) => consistencyProof(storedNodes(db, size), older, size),
  });
  const note = formatSignedNote({ text: body, signatures: [{ name, keyId: id, bytes }] });
  verifySignedNote(parseSignedNote(note), [signer.key], verifyEd25519);
  // Commit point. A crash before it loses a signature that nobody has seen, and the next one is over the same bytes.
  await db.query(
    'insert into log.checkpoint (size, root, note, signed_at) values ($1, $2, $3, $4) on conflict (size) do nothing',
    [size, root, note, now],
  );
  return size;
}

async function ask(witness: Witness, body: string): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(`${witness.url}/add-checkpoint`, {
    method: 'POST',
    body,
    signal: AbortSignal.timeout(witnessTimeoutMs),
    redirect: 'error',
  });
  const said = await readAtMost(answer.body, answerLengthMax);
  if (said === undefined) return { status: answer.status, text: '' };
  return { status: answer.status, text: new TextDecoder().decode(said) };
}

async function requestFor(db: Database, size: number, oldSize: number): Promise<string> {
  const row = only(await db.query('select note from log.checkpoint where size = $1', [size]));
  const proof = await consistencyProof(storedNodes(db, size), oldSize, size);
  return formatWitnessRequest({ oldSize, proof, checkpoint: text(row, 'note') });
}

async function store(
  db: Database,
  witness: Witness,
  found: { readonly size: number; readonly line: string; readonly now: Date },
): Promise<void> {
  await db.query(
    'insert into log.cosignature (size, witness, line, received_at) values ($1, $2, $3, $4) on conflict do nothing',
    [found.size, witness.key.name, found.line, found.now],
  );
}

/** The line of the answer that is this witness's cosignature over the checkpoint, verified; undefined where none is. */
function cosignatureIn(said: string, checkpoint: string, { key }: Witness): string | undefined {
  for (const line of said.split('\n').filter((part) => part !== '')) {
    const signature = parseNoteSignature(line);
    if (signature.name !== key.name || signature.keyId !== key.id || signature.bytes.length !== cosignatureLength) {
      continue;
    }
    const { text: body } = parseSignedNote(checkpoint);
    verifySignedNote({ text: body, signatures: [signature] }, [key], verifyEd25519);
    return formatNoteSignature(signature);
  }
  return undefined;
}

/**
 * Asks a witness to cosign the newest checkpoint, from where it stands: what it cosigned last is known here, or it says so.
 * Waits for the witness, and for nothing else; nothing of the log waits for this.
 */
export async function askWitness(
  db: Database,
  witness: Witness,
  order: { readonly size: number; readonly now: () => Date },
): Promise<WitnessAnswer> {
  const { size } = order;
  const last = only(
    await db.query('select max(size) as size from log.cosignature where witness = $1', [witness.key.name]),
  );
  let oldSize = Number(bigintOrNull(last, 'size') ?? 0n);
  try {
    for (let attempt = 0; attempt < 2; attempt += 1) {
      if (oldSize > size) return { status: 'rewound', size, witnessed: oldSize };
      const request = await requestFor(db, size, oldSize);
      const { status, text: said } = await ask(witness, request);
      if (status === 409 && attempt === 0 && /^(?:0|[1-9][0-9]{0,15})\n$/u.test(said)) {
        oldSize = Number(said);
        continue;
      }
      if (status !== 200) return { status: 'refused', size, reason: `${status}: ${said.slice(0, 300).trim()}` };
      const row = only(await db.query('select note from log.checkpoint where size = $1', [size]));
      const line = cosignatureIn(said, text(row, 'note'), witness);
      if (line === undefined) return { status: 'refused', size, reason: 'It answered without a signature of its own.' };
      await store(db, witness, { size, line, now: order.now() });
      return { status: 'cosigned', size };
    }
  } catch (error) {
    if (error instanceof CustodyError && error.code !== 'log/malformed' && error.code !== 'log/unproven') throw error;
    return { status: 'unreachable', reason: error instanceof Error ? error.message : String(error) };
  }
  invariant(false, 'A witness is asked at most twice.');
}
