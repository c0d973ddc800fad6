import {
  applyList,
  judgeAuthority,
  type ListAuthority,
  listBytesMax,
  listDigest,
  parseList,
} from '@bulkhead/authority';
import {
  type AuthorityIntent,
  canonicalIntent,
  CustodyError,
  type DecisionRecord,
  intentText,
  isAuthority,
  type RegistryChange,
} from '@bulkhead/domain';
import type { RememberedHead } from '@bulkhead/keys';
import { assertAgreed } from './client-signatures.ts';
import type { CoreParts } from './core-parts.ts';
import { counterFields, evidenceFields } from './record-fields.ts';
import { recordOf } from './record-lookup.ts';
import { assertAboutHeads } from './recovery-heads.ts';
import { refusalError } from './refusals.ts';

export type Changed = { readonly version: bigint; readonly record: DecisionRecord };

type Asked = {
  readonly change: RegistryChange;
  readonly intent: AuthorityIntent;
  readonly text: string;
  readonly digest: string;
};

/** Changes people, policy, clients or destinations. No decision by the version before is under way when the next one is written. */
export async function changeRegistry(parts: CoreParts, change: RegistryChange): Promise<Changed> {
  const asked = readChange(parts, change);
  if (asked.intent.kind === 'state-recovery') {
    const recovered = parts.knowledge.changed(asked.digest);
    // It was this one that ended the standstill, and its answer was lost.
    if (recovered !== undefined) return repeatedRecovery(parts, recovered);
    throw new CustodyError(
      'signer/protocol',
      'The state of this signer is the newest: there is nothing to recover. Nothing was changed.',
    );
  }
  return parts.gate.alone(async () => {
    const earlier = parts.knowledge.changed(asked.digest);
    if (earlier !== undefined) return repeated(parts, earlier);
    const about = { id: asked.intent.id, digest: asked.digest };
    return parts.refusals.recorded({ request: 'change', about }, async () => applyChange(parts, asked));
  });
}

async function repeated(parts: CoreParts, sequence: bigint): Promise<Changed> {
  await parts.committer.settle();
  const { record, fields } = await recordOf(parts, sequence);
  const version = fields['version'];
  return { version: BigInt(typeof version === 'string' ? version : '0'), record };
}

/** A recovery has no list: the version stays what it is. */
async function repeatedRecovery(parts: CoreParts, sequence: bigint): Promise<Changed> {
  return { ...(await repeated(parts, sequence)), version: parts.knowledge.registry().version };
}

function readChange({ hashes }: CoreParts, change: RegistryChange): Asked {
  if (change.list.length > listBytesMax) {
    throw new CustodyError(
      'signer/protocol',
      `The list has ${change.list.length} characters, at most ${listBytesMax} are read. Split it into several.`,
    );
  }
  const intent = canonicalIntent(change.intent);
  const text = intentText(intent);
  if (!isAuthority(intent)) {
    throw new CustodyError('signer/protocol', `A ${intent.kind} changes no registry: ask for its signature.`);
  }
  return { change, intent, text, digest: hashes.sha256Hex(text) };
}

async function applyChange(parts: CoreParts, asked: Asked): Promise<Changed> {
  const { knowledge, committer, hashes } = parts;
  const { intent, change, digest, text } = asked;
  if (intent.kind === 'state-recovery') throw new CustodyError('signer/protocol', 'A recovery has no list.');
  const at = parts.time.now();
  const { approvedBy, counters } = assertApproved(parts, { asked, now: at });
  assertList(parts, { list: change.list, intent });
  const authority: ListAuthority = intent.kind === 'enrolment' ? 'operational' : 'root';
  const registry = applyList(hashes, knowledge.registry(), { list: change.list, now: at, authority });
  assertAgreed(hashes, registry, change.list);
  const signers = assertContinued(parts, registry.identities);
  knowledge.expect({ digest, at, registry });
  // The list is in the log before anybody decides by it; a crash before leaves the version before, and the same intent fits it.
  const record = await committer.commit({
    type: 'changed',
    at,
    signers,
    fields: {
      intent: text,
      kind: intent.kind,
      digest,
      list: change.list,
      version: String(registry.version),
      registryHash: registry.hash,
      approvedBy,
      evidence: evidenceFields(change.evidence),
      counters: counterFields(counters),
    },
  });
  return { version: registry.version, record };
}

/** What was approved is a digest: the list must be the one it is of, item for item. */
function assertList(
  { hashes }: CoreParts,
  { list, intent }: { list: string; intent: Extract<AuthorityIntent, { readonly items: bigint }> },
): void {
  const digest = listDigest(hashes, list);
  if (digest !== intent.digest) {
    throw new CustodyError(
      'signer/registry-list',
      `The list has the digest ${digest}, and ${intent.digest} was approved. Send the list that was approved.`,
    );
  }
  const count = parseList(list).length;
  if (BigInt(count) !== intent.items) {
    throw new CustodyError(
      'signer/registry-list',
      `The list has ${count} items, and ${intent.items} were approved. Send the list that was approved.`,
    );
  }
}

function assertApproved(
  { knowledge, verifier }: CoreParts,
  { asked, now }: { asked: Asked; now: bigint },
): { approvedBy: readonly string[]; counters: ReturnType<typeof verifier.evidence>['counters'] } {
  const { intent, digest, change } = asked;
  const registry = knowledge.registry();
  const { approvers, counters } = verifier.evidence(registry, { intent, digest }, change.evidence);
  knowledge.signCounts.assertRising(counters);
  const { refusal, approvedBy } = judgeAuthority(registry, { intent, approvers, now });
  if (refusal !== undefined) throw refusalError(refusal);
  return { approvedBy, counters };
}

/**
 * The head over a list that replaces identity keys is signed by a key that counts before it and after it. So the start believes no key
 * that the log did not vouch for, and whoever follows the heads from outside is handed on by a key that he knows.
 */
function assertContinued({ identities }: CoreParts, next: readonly string[]): readonly string[] {
  if (identities().some(({ publicKey }) => next.includes(publicKey))) return next;
  throw new CustodyError(
    'signer/registry-list',
    `The list keeps none of the identity keys that this process holds: ${named(identities())}. Keep one that is open, and remove it by a later list once its successor is open.`,
  );
}

function named(identities: ReturnType<CoreParts['identities']>): string {
  return identities.map(({ publicKey }) => publicKey).join(', ');
}

/**
 * Lets an older state go on. The root quorum of that state names its end, so an approval for one copy is worth nothing for another.
 * Grants that the lost part held are unknown afterwards: docs/signer.md says what people do about them first.
 */
export async function recoverState(
  parts: CoreParts,
  change: RegistryChange,
  remembered: () => Promise<readonly RememberedHead[]>,
): Promise<Changed> {
  const asked = readChange(parts, change);
  const { knowledge, committer, log } = parts;
  return parts.gate.alone(async () => {
    const { intent, digest, text } = asked;
    const earlier = knowledge.changed(digest);
    // Written by this process, and then a slot failed: the same intent carries on with the slots. Any other change of this log is
    // history: whoever sends it again has nobody's word that this state may go on.
    if (earlier !== undefined && committer.recovering()) return repeatedRecovery(parts, earlier);
    if (intent.kind !== 'state-recovery') throw notRecovered(intent.kind);
    const end = log.covered();
    if (intent.sequence !== end.sequence || intent.head !== end.hash) {
      throw new CustodyError(
        'signer/state-rewound',
        `The intent lets record ${intent.sequence} (${intent.head}) go on, and this state ends with record ${end.sequence} (${end.hash}). Have an intent for this state approved.`,
        { details: { sequence: String(end.sequence), head: end.hash } },
      );
    }
    const heads = await remembered();
    assertAboutHeads(parts.hashes, { intent, heads });
    const at = parts.time.now();
    const { approvedBy, counters } = assertApproved(parts, { asked, now: at });
    const forgiven = heads.map(({ sequence, hash }) => ({ sequence: String(sequence), hash }));
    const evidence = evidenceFields(change.evidence);
    const record = await committer.recover({
      type: 'recovered',
      at,
      fields: { intent: text, digest, approvedBy, evidence, counters: counterFields(counters), forgiven },
    });
    return { version: knowledge.registry().version, record };
  });
}

function notRecovered(kind: string): CustodyError {
  return new CustodyError(
    'signer/state-rewound',
    `The signer's state is an older copy, and a ${kind} waits until the root quorum has let it go on: docs/signer.md has the recovery.`,
  );
}
