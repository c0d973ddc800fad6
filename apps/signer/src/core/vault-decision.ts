import { judgeVault, type VaultJudgement } from '@bulkhead/authority';
import {
  canonicalIntent,
  CustodyError,
  intentText,
  invariant,
  isVaultMatter,
  type KeyResidency,
  type VaultGrant,
  type VaultIntent,
  type VaultSignRequest,
} from '@bulkhead/domain';
import { vaultIntentPreimage } from '@bulkhead/vaults';
import { announced } from './announcement.ts';
import { approvalsOf, type VerifiedEvidence } from './approvals.ts';
import {
  attemptOf,
  type Derived,
  keyNameOf,
  type Making,
  openMaking,
  repeatedGrant,
  signatureOfGrant,
} from './attempt.ts';
import type { CoreParts } from './core-parts.ts';
import { amountSeries, houseFeeSeries, reserveVault, vaultPaceStepOf } from './knowledge.ts';
import { type MemberKey, memberKeys } from './member-keys.ts';
import { counterFields, evidenceFields } from './record-fields.ts';
import { refusalError } from './refusals.ts';

type Asked = Derived & { readonly request: VaultSignRequest; readonly intent: VaultIntent };

/** As signing for wallets: each request is judged by its own evidence, and each attempt signed once. */
export function openVaultSigning(parts: CoreParts): (request: VaultSignRequest) => Promise<VaultGrant> {
  const making = openMaking<VaultGrant>();
  return async (request) => answer(parts, making, readRequest(parts, request));
}

function readRequest({ hashes }: CoreParts, request: VaultSignRequest): Asked {
  const intent = canonicalIntent(request.intent);
  if (!isVaultMatter(intent)) {
    throw new CustodyError('signer/protocol', `A ${intent.kind} is not for a set of signers: use "sign" or "change".`);
  }
  const text = intentText(intent);
  const preimage = vaultIntentPreimage(hashes, intent);
  return {
    request,
    intent,
    text,
    digest: hashes.sha256Hex(text),
    preimage,
    signed: Buffer.from(hashes.keccak256(preimage)).toString('hex'),
  };
}

async function answer(parts: CoreParts, making: Making<VaultGrant>, asked: Asked): Promise<VaultGrant> {
  const { intent, digest, request, signed } = asked;
  const about = { id: intent.id, digest, signed };
  return parts.gate.shared(async () =>
    announced(parts, {
      refused: { request: 'sign-vault', about },
      prepare: async () => {
        const registry = parts.knowledge.registry();
        const [members] = await Promise.all([
          memberKeys(parts.addresses, registry),
          parts.verifier.prepare(registry, asked, approvalsOf(request.evidence)),
        ]);
        return members;
      },
      decide: async (members, arrived) => grantOnce(parts, making, { asked, members, arrived }),
    }),
  );
}

type Allowed = {
  readonly asked: Asked;
  readonly member: MemberKey;
  readonly now: bigint;
  readonly evidence: VerifiedEvidence & { readonly approvedBy: readonly string[] };
};

async function grantOnce(
  parts: CoreParts,
  making: Making<VaultGrant>,
  at: { readonly asked: Asked; readonly members: readonly MemberKey[]; readonly arrived: () => void },
): Promise<VaultGrant> {
  // Expiry and policy of today do not matter for what was granted: whoever asks may have lost its signature in a crash.
  for (const { key, address } of at.members) {
    const earlier = repeatedGrant(parts, at.asked, key);
    if (earlier === undefined) continue;
    at.arrived();
    return { ...(await earlier()), member: address };
  }
  const allowed = allowedGrant(parts, at);
  at.arrived();
  return making(attemptOf(parts, at.asked, allowed.member.key), async () => {
    assertPaced(parts, allowed);
    return grant(parts, allowed);
  });
}

function assertPaced({ knowledge, limits }: CoreParts, { asked, now, evidence }: Allowed): void {
  const approved = evidence.approvedBy.length > 0;
  const step = vaultPaceStepOf(knowledge, { intent: asked.intent, at: now, approved });
  if (step !== undefined) knowledge.pace.assertWithin(step, limits);
}

/** Everything that must hold, without waiting for anything: no other decision comes in between. */
function allowedGrant(
  parts: CoreParts,
  { asked, members }: { readonly asked: Asked; readonly members: readonly MemberKey[] },
): Allowed {
  const { knowledge, verifier } = parts;
  const { intent, digest, request, signed } = asked;
  const now = parts.time.now();
  const evidence = verifier.evidence(knowledge.registry(), { intent, digest }, request.evidence);
  knowledge.signCounts.assertRising(evidence.counters);
  const { requester, approvers } = evidence;
  const { refusal, approvedBy, signer } = judgeForVault(parts, { intent, requester, approvers, now, members });
  if (refusal !== undefined) throw refusalError(refusal);
  const member = members.find(({ address }) => address === signer);
  invariant(member !== undefined, 'A key was judged to sign that this signer does not have.');
  knowledge.vaultGrants.assertFree({ intent, digest, signed });
  return { asked, member, now, evidence: { ...evidence, approvedBy } };
}

export type VaultFacts = {
  readonly intent: VaultIntent;
  readonly requester: string | undefined;
  readonly approvers: readonly string[];
  readonly now: bigint;
  readonly members: readonly MemberKey[];
};

/** The same judgement for a request to sign and for the outlook. */
export function judgeForVault(parts: CoreParts, facts: VaultFacts): VaultJudgement {
  const { knowledge, addresses } = parts;
  const { intent, now, members, ...people } = facts;
  return judgeVault(knowledge.registry(), {
    ...people,
    intent,
    now,
    own: members.map(({ address }) => address),
    residency: residencyOf(addresses, members),
    ...vaultSpending(parts, { intent, now }),
    ...('blockNumber' in intent ? { heartbeat: knowledge.vaultGrants.heartbeat(intent.chain) } : {}),
  });
}

/** Of the key that is least protected: which one signs is decided by the judgement. */
export function residencyOf(addresses: CoreParts['addresses'], members: readonly MemberKey[]): KeyResidency {
  const all = members.map(({ key }) => addresses.residencyOf(key));
  return all.includes('software') ? 'software' : (all[0] ?? 'hsm');
}

/** What other intents have used of the windows that this one falls into. */
export function vaultSpending(
  { knowledge }: Pick<CoreParts, 'knowledge'>,
  { intent, now }: { readonly intent: VaultIntent; readonly now: bigint },
): { readonly spent: (windowSeconds: bigint) => bigint; readonly feesSpent: (windowSeconds: bigint) => bigint } {
  const none = (): bigint => 0n;
  if (!('amount' in intent)) return { spent: none, feesSpent: none };
  const sum = (series: string, windowSeconds: bigint): bigint =>
    knowledge.usage.sum({ series, windowSeconds, now, except: intent.id });
  return {
    spent: (windowSeconds) => sum(amountSeries(intent), windowSeconds),
    feesSpent: (windowSeconds) => sum(houseFeeSeries(intent.asset), windowSeconds),
  };
}

async function grant(parts: CoreParts, { asked, member, now, evidence }: Allowed): Promise<VaultGrant> {
  const { knowledge, committer } = parts;
  const { intent, digest, signed, text, preimage, request } = asked;
  // What this one takes is taken now, before anything is waited for, as with grants of transactions.
  reserveVault(knowledge, { intent, digest, signed, at: now, approved: evidence.approvedBy.length > 0 });
  knowledge.signCounts.accept(evidence.counters);
  knowledge.expectGrant(digest, intent);
  // A crash before this returns leaves a grant without a signature, or none.
  const record = await committer.commit({
    type: 'granted',
    at: now,
    fields: {
      intent: text,
      digest,
      key: keyNameOf(member.key),
      unsigned: Buffer.from(preimage).toString('hex'),
      signed,
      member: member.address,
      registryVersion: String(knowledge.registry().version),
      approvedBy: evidence.approvedBy,
      evidence: evidenceFields(request.evidence),
      counters: counterFields(evidence.counters),
    },
  });
  // A crash from here on: the grant counts, and the same request gets its signature.
  return { ...(await signatureOfGrant(parts, { preimage, key: member.key, record })), member: member.address };
}
