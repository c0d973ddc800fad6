import { CustodyError } from '@bulkhead/domain';
import {
  openCheckpoint,
  openReceipt,
  parseReceipt,
  parseVerifierKey,
  type Receipt,
  type VerifiedCheckpoint,
  type VerifierKey,
} from '@bulkhead/tlog';
import { equalBytes, fieldOf } from './bytes.ts';
import type { PinnedLog } from './order.ts';
import { about, fails, holds, type Step, unknown } from './report.ts';
import { verifyEd25519 } from './signed-statement.ts';

/** A checkpoint that came alone, or in a receipt. */
export type LogFile =
  | { readonly kind: 'checkpoint'; readonly name: string; readonly note: string }
  | { readonly kind: 'receipt'; readonly name: string; readonly receipt: unknown };

type Trust = { readonly log: VerifierKey; readonly witnesses: readonly VerifierKey[]; readonly witnessesMin: number };
type Seen = { readonly name: string; readonly checkpoint: VerifiedCheckpoint };

/** Receipts and checkpoints of the audit log, by the keys that the reader pinned; and whether all tell of one log. */
export function logSteps(files: readonly LogFile[], pinned: PinnedLog | undefined): readonly Step[] {
  if (files.length === 0) return [];
  if (pinned === undefined) {
    return [
      unknown('checkpoint', 'You pinned no key of the log, so nothing that it signed can be told from anything else.'),
    ];
  }
  const trust = trustOf(pinned);
  if ('step' in trust) return [trust];
  const seen: Seen[] = [];
  const steps = files.flatMap((file) => {
    const found = file.kind === 'receipt' ? receiptSteps(file.receipt, trust) : checkpointSteps(file.note, trust);
    if (found.checkpoint !== undefined) seen.push({ name: file.name, checkpoint: found.checkpoint });
    return about(file.name, found.steps);
  });
  return [...steps, ...forkSteps(seen)];
}

function trustOf({ key, witnesses, witnessesMin }: PinnedLog): Trust | Step {
  try {
    return { log: parseVerifierKey(key), witnesses: witnesses.map(parseVerifierKey), witnessesMin };
  } catch (error) {
    return fails('checkpoint', wordsOf(error));
  }
}

type Found = { readonly steps: readonly Step[]; readonly checkpoint?: VerifiedCheckpoint };

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

/** Two readers who compare what they were shown find a log that told them different things. */
function forkSteps(seen: readonly Seen[]): readonly Step[] {
  const [first, ...others] = [...seen].sort((a, b) => a.checkpoint.size - b.checkpoint.size);
  if (first === undefined || others.length === 0) return [];
  let before = first;
  let apart = 0;
  for (const next of others) {
    const same = next.checkpoint.size === before.checkpoint.size;
    if (same && !equalBytes(next.checkpoint.root, before.checkpoint.root)) {
      const reason = `The log signed two different trees of ${next.checkpoint.size} leaves (${before.name}, ${next.name}): it lied to somebody. Keep both.`;
      return [fails('fork', reason)];
    }
    if (!same) apart += 1;
    before = next;
  }
  return [
    apart === 0
      ? holds('fork', `All ${seen.length} are of one tree.`)
      : unknown(
          'fork',
          'They are of different sizes: whether one continues the other is shown by the log’s tiles, which witnesses look at.',
        ),
  ];
}

function wordsOf(error: unknown): string {
  if (error instanceof CustodyError) return error.message;
  throw error;
}
