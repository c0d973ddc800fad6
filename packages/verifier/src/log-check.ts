import { CustodyError } from '@bulkhead/domain';
import {
  openCheckpoint,
  openReceipt,
  parseReceipt,
  parseVerifierKey,
  parseWitnessRequest,
  type Receipt,
  type VerifiedCheckpoint,
  type VerifierKey,
} from '@bulkhead/tlog';
import { fieldOf } from './bytes.ts';
import { anchorSteps } from './log-anchor.ts';
import { consistencySteps, type GivenProof, type Seen } from './log-consistency.ts';
import type { Examination, PinnedLog } from './order.ts';
import { about, fails, holds, type Step, unknown } from './report.ts';
import { verifyEd25519 } from './signed-statement.ts';

/** A checkpoint that came alone, with a proof of consistency (`note` is the whole text then), or in a receipt. */
export type LogFile =
  | { readonly kind: 'checkpoint' | 'consistency'; readonly name: string; readonly note: string }
  | { readonly kind: 'receipt'; readonly name: string; readonly receipt: unknown };

type Trust = { readonly log: VerifierKey; readonly witnesses: readonly VerifierKey[]; readonly witnessesMin: number };

/** Receipts and checkpoints of the audit log, by the keys that the reader pinned; and whether all, and the chain, tell of one log. */
export async function logSteps(files: readonly LogFile[], order: Examination): Promise<readonly Step[]> {
  const pinned = order.pins.log;
  if (files.length === 0) return [];
  if (pinned === undefined) {
    return [
      unknown('checkpoint', 'You pinned no key of the log, so nothing that it signed can be told from anything else.'),
    ];
  }
  const trust = trustOf(pinned);
  if ('step' in trust) return [trust];
  const seen: Seen[] = [];
  const proofs: GivenProof[] = [];
  const steps = files.flatMap((file) => {
    const found = foundIn(file, trust);
    if (found.checkpoint !== undefined) seen.push({ name: file.name, checkpoint: found.checkpoint });
    if (found.proof !== undefined) proofs.push(found.proof);
    return about(file.name, found.steps);
  });
  const compared = await consistencySteps({ seen, proofs, readTile: order.readTile });
  // Of a log that told two histories the chain has at most one: what it has is looked at where there is one alone.
  const forked = compared.some(({ result }) => result === 'fails');
  return [...steps, ...compared, ...(forked ? [] : await anchorSteps(order, seen))];
}

function foundIn(file: LogFile, trust: Trust): Found {
  if (file.kind === 'receipt') return receiptSteps(file.receipt, trust);
  return file.kind === 'checkpoint' ? checkpointSteps(file.note, trust) : proofSteps(file, trust);
}

function trustOf({ key, witnesses, witnessesMin }: PinnedLog): Trust | Step {
  try {
    return { log: parseVerifierKey(key), witnesses: witnesses.map(parseVerifierKey), witnessesMin };
  } catch (error) {
    return fails('checkpoint', wordsOf(error));
  }
}

type Found = {
  readonly steps: readonly Step[];
  readonly checkpoint?: VerifiedCheckpoint;
  readonly proof?: GivenProof;
};

function proofSteps({ name, note }: { readonly name: string; readonly note: string }, trust: Trust): Found {
  try {
    const { oldSize, proof: path, checkpoint } = parseWitnessRequest(note);
    const found = checkpointSteps(checkpoint, trust);
    const newer = found.checkpoint;
    return newer === undefined ? found : { ...found, proof: { name, oldSize, path, newer } };
  } catch (error) {
    return { steps: [fails('checkpoint', wordsOf(error))] };
  }
}

function checkpointSteps(note: string, trust: Trust): Found {
  try {
    const checkpoint = openCheckpoint(note, { ...trust, verify: verifyEd25519 });
    return { steps: [signedStep(checkpoint), witnessStep(checkpoint, trust)], checkpoint };
  } catch (error) {
    return { steps: [fails('checkpoint', wordsOf(error))] };
  }
}

function signedStep({ origin, size }: VerifiedCheckpoint): Step {
  return holds('checkpoint', `The log ${origin} signed that it has ${size} leaves.`);
}

function witnessStep({ signatures }: VerifiedCheckpoint, { witnesses, witnessesMin }: Trust): Step {
  const by = signatures.filter(({ key }) => witnesses.includes(key)).map(({ key }) => key.name);
  if (by.length < witnessesMin) {
    return fails(
      'witnesses',
      `${by.length} of the witnesses that you trust cosigned it, and you ask for ${witnessesMin}.`,
    );
  }
  return by.length === 0
    ? unknown('witnesses', 'No witness that you trust cosigned it: the log may show others another history.')
    : holds('witnesses', `${by.join(', ')} cosigned it: they saw one history.`);
}

function receiptSteps(value: unknown, trust: Trust): Found {
  try {
    const receipt = receiptOf(value);
    // How many witnesses there are is a step of its own.
    const { leaf, content, checkpoint } = openReceipt(receipt, { ...trust, witnessesMin: 0, verify: verifyEd25519 });
    const when = new Date(leaf.timeMs).toISOString();
    return {
      checkpoint,
      steps: [
        signedStep(checkpoint),
        witnessStep(checkpoint, trust),
        holds('receipt', `Leaf ${receipt.index}, ${leaf.kind} ${leaf.id} of ${when}, stands in that log.`),
        content === undefined
          ? unknown('content', 'What the leaf is about is not in the receipt: it was erased, or is not for you.')
          : holds('content', `The leaf commits to this content: ${content.slice(0, 400)}`),
      ],
    };
  } catch (error) {
    return { steps: [fails('receipt', wordsOf(error))] };
  }
}

/** @throws CustodyError `log/malformed` */
function receiptOf(value: unknown): Receipt {
  const [index, leaf, path, checkpoint, opening] = ['index', 'leaf', 'path', 'checkpoint', 'opening'].map((name) =>
    fieldOf(value, name),
  );
  const [salt, content] = [fieldOf(opening, 'salt'), fieldOf(opening, 'content')];
  const opened = typeof salt === 'string' && typeof content === 'string' ? { salt, content } : null;
  const formed =
    typeof index === 'number' &&
    typeof leaf === 'string' &&
    typeof checkpoint === 'string' &&
    Array.isArray(path) &&
    path.every((hash) => typeof hash === 'string') &&
    (opened !== null || opening === null);
  if (!formed) throw new CustodyError('log/malformed', 'This is no receipt: give it as the API gave it.');
  return parseReceipt({ index, leaf, opening: opened, path, checkpoint });
}

function wordsOf(error: unknown): string {
  if (error instanceof CustodyError) return error.message;
  throw error;
}
