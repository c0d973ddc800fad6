import { type CheckpointQuestion, judgeCheckpoint, statementText, unknownLog } from '@bulkhead/authority';
import {
  canonicalIntent,
  type CertifiedLogKey,
  type CheckpointGrant,
  type CheckpointSignRequest,
  CustodyError,
  type DecisionRecord,
  intentText,
  invariant,
  type LogCheckpointIntent,
} from '@bulkhead/domain';
import type { IdentityKey } from '@bulkhead/keys';
import { checkpointText, verifyConsistency } from '@bulkhead/tlog';
import { announced } from './announcement.ts';
import { type Making, openMaking } from './attempt.ts';
import { signStatement } from './commit.ts';
import type { CoreParts } from './core-parts.ts';
import type { SignedTree } from './proof-grants.ts';
import { checkpointName, proofPaceStepOf, reserveProof } from './proof-reservation.ts';
import { recordOf } from './record-lookup.ts';
import { refusalError } from './refusals.ts';

type Asked = {
  readonly intent: LogCheckpointIntent;
  readonly text: string;
  readonly digest: string;
  readonly request: CheckpointSignRequest;
};

/**
 * The key of the audit log signs heads of one tree that only grows. What was signed last follows from the log of this signer, so a
 * database that was changed or put back gets no signature, whoever runs it.
 */
export function openCheckpointSigning(parts: CoreParts): (request: CheckpointSignRequest) => Promise<CheckpointGrant> {
  const making = openMaking<DecisionRecord>();
  return async (request) => {
    const asked = readRequest(parts, request);
    const { intent, digest } = asked;
    return parts.gate.shared(async () =>
      announced(parts, {
        refused: { request: 'sign-checkpoint', about: { id: intent.id, digest, origin: intent.origin } },
        prepare: async () => parts.logKey?.open(),
        decide: async (key, arrived) => {
          const record = await grantOnce(parts, making, { asked, key, arrived });
          invariant(key !== undefined, 'A checkpoint was granted that no key of this signer can sign.');
          // Ed25519 gives the same signature for the same text, so none is written down: a crash from here on costs nothing.
          const signature = await key.sign(Buffer.from(bodyOf(intent), 'utf8'));
          return { signature, publicKey: key.publicKey, record };
        },
      }),
    );
  };
}

/** The text that is signed: no lines but those that the intent names. */
function bodyOf({ origin, size, root }: LogCheckpointIntent): string {
  return checkpointText({ origin, size: Number(size), root: bytesOf(root) });
}

function readRequest({ hashes }: CoreParts, request: CheckpointSignRequest): Asked {
  const intent = canonicalIntent(request.intent);
  if (intent.kind !== 'log-checkpoint') {
    throw new CustodyError('signer/protocol', `A ${intent.kind} is no checkpoint of a log.`);
  }
  const text = intentText(intent);
  return { intent, text, digest: hashes.sha256Hex(text), request };
}

async function grantOnce(
  parts: CoreParts,
  making: Making<DecisionRecord>,
  {
    asked,
    key,
    arrived,
  }: { readonly asked: Asked; readonly key: IdentityKey | undefined; readonly arrived: () => void },
): Promise<DecisionRecord> {
  const { knowledge, limits, logKey, time } = parts;
  const { intent } = asked;
  const last = knowledge.proofGrants.tree(intent.origin);
  const { refusal } = judgeCheckpoint(knowledge.registry(), {
    ...questionOf(asked, last),
    ...(logKey === undefined ? {} : { residency: logKey.residency }),
  });
  if (refusal !== undefined) throw refusalError(refusal);
  const now = time.now();
  arrived();
  return making(checkpointName(intent), async () => {
    if (isSameTree(intent, last) && last?.sequence !== undefined) {
      await parts.committer.settle();
      return (await recordOf(parts, last.sequence)).record;
    }
    knowledge.pace.assertWithin(proofPaceStepOf(intent, now), limits);
    return grant(parts, asked, { now, publicKey: key?.publicKey ?? '' });
  });
}

function isSameTree({ size, root }: LogCheckpointIntent, last: SignedTree | undefined): boolean {
  return last?.size === size && last.root === root;
}

function questionOf(
  { intent, request }: Asked,
  last: SignedTree | undefined,
): Pick<CheckpointQuestion, 'intent' | 'last' | 'oldSize' | 'isContinued'> {
  const { oldSize, proof } = request;
  return {
    intent,
    oldSize,
    isContinued: isContinued(intent, last, proof),
    ...(last === undefined ? {} : { last }),
  };
}

/** RFC 6962, section 2.1.2. The first tree continues nothing, and needs no proof of it. */
function isContinued(intent: LogCheckpointIntent, last: SignedTree | undefined, proof: readonly string[]): boolean {
  if (last === undefined) return proof.length === 0;
  const older = { size: Number(last.size), root: bytesOf(last.root) };
  return verifyConsistency(older, { size: Number(intent.size), root: bytesOf(intent.root) }, proof.map(bytesOf));
}

async function grant(
  { knowledge, committer, hashes }: CoreParts,
  { intent, text, digest }: Asked,
  { now, publicKey }: { readonly now: bigint; readonly publicKey: string },
): Promise<DecisionRecord> {
  // Bound now, before anything is waited for: a fork that is asked for meanwhile is refused.
  reserveProof(hashes, knowledge, { intent, digest, at: now });
  return committer.commit({
    type: 'checkpointed',
    at: now,
    fields: {
      intent: text,
      digest,
      publicKey,
      registryVersion: String(knowledge.registry().version),
    },
  });
}

/** The key of the log that the registry lists, as the identity key certifies it. */
export async function certifiedLogKey(parts: CoreParts): Promise<CertifiedLogKey> {
  const { knowledge, logKey } = parts;
  const { deployment, auditLog } = knowledge.registry();
  if (logKey === undefined || auditLog === undefined) throw refusalError(unknownLog(undefined, auditLog));
  const { publicKey, residency } = await logKey.open();
  const text = statementText('log-key-certificate', { deployment, origin: auditLog, publicKey, residency });
  return { origin: auditLog, publicKey, certificate: await signStatement(parts.identities(), text) };
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
