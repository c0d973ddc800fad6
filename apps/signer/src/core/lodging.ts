import { type Approval, canonicalIntent, CustodyError, type Intent, intentText } from '@bulkhead/domain';
import type { CoreParts } from './core-parts.ts';
import { approvalFields, approvalOf, counterFields } from './record-fields.ts';
import { recordOf } from './record-lookup.ts';
import { canonicalJson, isCanonicalObject } from '@bulkhead/authority';

/** Signatures that are kept for one intent: everybody's, with a few made again. */
export const lodgedPerIntentMax: number = 64;

/**
 * Takes one signature as soon as it is made. Whether it will count is judged when it is used; that it is a registered person's over
 * this very intent is verified now.
 *
 * @returns whose it is
 */
export async function lodge(parts: CoreParts, given: Intent, approval: Approval): Promise<{ readonly person: string }> {
  const intent = canonicalIntent(given);
  const text = intentText(intent);
  const digest = parts.hashes.sha256Hex(text);
  const about = { id: intent.id, digest };
  return parts.gate.shared(async () => {
    await parts.verifier.prepare(parts.knowledge.registry(), { intent, digest }, [approval]);
    return parts.refusals.recorded(
      { request: 'lodge', about: { ...about, person: approval.person.slice(0, 90) } },
      async () => {
        const { knowledge, verifier, committer } = parts;
        const { person, counter } = verifier.approval(knowledge.registry(), { intent, digest }, approval);
        const counters = counter === undefined ? [] : [counter];
        const repeated = await isLodged(parts, { digest, approval });
        if (repeated) {
          await committer.settle();
          return { person };
        }
        if (knowledge.lodged(digest).length >= lodgedPerIntentMax) {
          throw new CustodyError(
            'signer/protocol',
            `${lodgedPerIntentMax} signatures were lodged for intent ${intent.id}, more than it can ever need.`,
          );
        }
        knowledge.signCounts.assertRising(counters);
        knowledge.signCounts.accept(counters);
        // The approval counts once its record does. A crash before: it is lodged again, and its counter has its place only then.
        await committer.commit({
          type: 'lodged',
          at: parts.time.now(),
          fields: {
            intent: text,
            digest,
            person,
            key: approval.key,
            approval: approvalFields(approval),
            counters: counterFields(counters),
          },
        });
        return { person };
      },
    );
  });
}

/** Whether this very signature is there already: sent again after an answer was lost, it needs no second record. */
async function isLodged(
  parts: CoreParts,
  { digest, approval }: { digest: string; approval: Approval },
): Promise<boolean> {
  const wanted = canonicalJson(approvalFields(approval));
  for (const { sequence, person, key } of parts.knowledge.lodged(digest)) {
    if (person !== approval.person || key !== approval.key) continue;
    await parts.committer.settle();
    const { fields } = await recordOf(parts, sequence);
    const written = fields['approval'];
    if (written === undefined || !isCanonicalObject(written)) continue;
    if (canonicalJson(approvalFields(approvalOf(written))) === wanted) return true;
  }
  return false;
}
