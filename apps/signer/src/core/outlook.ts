import {
  type BriefQuestion,
  briefFields,
  briefOf,
  isCanonicalObject,
  type Judgement,
  judgeAuthority,
  type KnownAddress,
  parseRecordLine,
  statementText,
  type Tier,
} from '@bulkhead/authority';
import {
  type AuthorityIntent,
  canonicalIntent,
  CustodyError,
  type Evidence,
  type Intent,
  intentText,
  invariant,
  isMovement,
  isProof,
  isVaultMatter,
  type KeyResidency,
  type MovementIntent,
  type Outlook,
  type ProofIntent,
} from '@bulkhead/domain';
import { walletsOf } from './addresses.ts';
import { approvalsOf, type VerifiedApproval } from './approvals.ts';
import { signStatement } from './commit.ts';
import type { CoreParts } from './core-parts.ts';
import { approvalOf } from './record-fields.ts';
import { memberKeys } from './member-keys.ts';
import { judgeForVault, vaultSpending } from './vault-decision.ts';
import { assertPaced, compartmentsOf, judge, ownAddresses, spending } from './question.ts';

/** What people may be asked about. */
type Approvable = Exclude<Intent, ProofIntent>;

/**
 * What the signer would say now. It costs nothing and binds nothing; signatures that were lodged count as if they had been sent
 * along.
 */
export async function outlookOf(parts: CoreParts, given: Intent, evidence: Evidence): Promise<Outlook> {
  const intent = canonicalIntent(given);
  if (isProof(intent)) {
    throw new CustodyError('signer/protocol', `Nobody approves a ${intent.kind}, and it has no outlook: ask for it.`);
  }
  const digest = parts.hashes.sha256Hex(intentText(intent));
  if (isMovement(intent)) await parts.addresses.prepare(parts.knowledge.registry(), compartmentsOf(intent));
  await parts.verifier.prepare(parts.knowledge.registry(), { intent, digest }, approvalsOf(evidence));
  const lodged = await lodgedApprovals(parts, { intent, digest });
  const at = parts.time.now();
  const registry = parts.knowledge.registry();
  const sent = parts.verifier.evidence(registry, { intent, digest }, evidence);
  const people = [...sent.approvers, ...lodged.map(({ person }) => person)];
  const judgement = await judgementOf(parts, { intent, requester: sent.requester, approvers: people, now: at });
  const brief = briefOf(registry, { intent, digest, at, judgement, ...surroundings(parts, intent, at) });
  const { refusal, approvalsNeeded, requestNeeded, approvedBy } = judgement;
  return {
    ...(refusal === undefined ? {} : { refusal: { code: refusal.code, message: refusal.message } }),
    approvalsNeeded,
    requestNeeded,
    approvedBy,
    brief: await signStatement(parts.identities(), statementText('brief', briefFields(brief))),
  };
}

type AskedNow = {
  readonly intent: Approvable;
  readonly requester: string | undefined;
  readonly approvers: readonly string[];
  readonly now: bigint;
};

async function judgementOf(parts: CoreParts, asked: AskedNow): Promise<Judgement> {
  const { intent, requester, approvers, now } = asked;
  if (isMovement(intent)) {
    return paced(parts, { intent, at: now }, judgeByTier(parts, { intent, requester, approvers, now }));
  }
  if (!isVaultMatter(intent)) return judgeChange(parts, { intent, approvers, now });
  const members = await memberKeys(parts.addresses, parts.knowledge.registry());
  return judgeForVault(parts, { intent, requester, approvers, now, members });
}

type Surroundings = Pick<BriefQuestion, 'spent' | 'feesSpent' | 'used' | 'own'>;

/** What a brief says besides the judgement: limits and what is known of the recipient, where there is one. */
function surroundings(parts: CoreParts, intent: Approvable, now: bigint): Surroundings {
  if (!('amount' in intent)) return { spent: () => 0n, feesSpent: () => 0n, used: { times: 0n }, own: [] };
  const known = { used: usedBy(parts, intent), own: ownOf(parts, intent) };
  return isMovement(intent)
    ? { ...spending(parts, { intent, now }), ...known }
    : { ...vaultSpending(parts, { intent, now }), ...known };
}

/** Approvals that were lodged for an intent, held against the registry of today. */
async function lodgedApprovals(
  { knowledge, log, verifier }: CoreParts,
  subject: { intent: Intent; digest: string },
): Promise<readonly VerifiedApproval[]> {
  const counted: VerifiedApproval[] = [];
  for (const { sequence } of knowledge.lodged(subject.digest)) {
    const { fields } = parseRecordLine(await log.line(sequence));
    const written = fields['approval'];
    if (written === undefined || !isCanonicalObject(written)) continue;
    const approval = approvalOf(written);
    try {
      counted.push(verifier.approval(knowledge.registry(), subject, approval));
    } catch {
      // The key or the person went away since: what was lodged counts no more, and the outlook says who is missing.
    }
  }
  return counted;
}

/** The server asks before it takes a nonce, so it must hear of every limit. */
function paced(parts: CoreParts, { intent, at }: { intent: MovementIntent; at: bigint }, judged: Judgement): Judgement {
  if (judged.refusal !== undefined) return judged;
  try {
    assertPaced(parts, { intent, at, approved: judged.approvalsNeeded > 0 });
    return judged;
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return { ...judged, refusal: { code: error.code, message: error.message, details: error.details } };
  }
}

const tiers: readonly Tier[] = ['hot', 'warm', 'cold'];

type MovementAsked = {
  readonly intent: MovementIntent;
  readonly requester: string | undefined;
  readonly approvers: readonly string[];
  readonly now: bigint;
};

/**
 * Which wallet will sign is decided later. The readiest tier that has a rule for the amount stands for it, as the server chooses; a
 * request to sign is judged by the tier of its own key in any case.
 */
function judgeByTier(parts: CoreParts, asked: MovementAsked): Judgement {
  const { addresses, knowledge } = parts;
  const { intent } = asked;
  const isOwn = ownAddresses(parts);
  const wallets = walletsOf(knowledge.registry(), intent.compartment);
  const present = tiers.filter((tier) => tier === 'hot' || wallets.some((wallet) => wallet.tier === tier));
  const judgements = present.map((tier) => {
    const residency = residencyOfTier(addresses, { intent, tier, wallets });
    return judge(parts, { ...asked, tier, residency, fee: intent.feeMax, isOwn });
  });
  const [first] = judgements;
  const chosen = judgements.find(({ refusal }) => refusal?.code !== 'signer/amount-above-limit') ?? first;
  invariant(chosen !== undefined, 'There is always a hot tier to judge by.');
  return chosen;
}

function residencyOfTier(
  addresses: CoreParts['addresses'],
  at: { intent: MovementIntent; tier: Tier; wallets: ReturnType<typeof walletsOf> },
): KeyResidency {
  const { compartment } = at.intent;
  const listed = at.wallets.find((wallet) => wallet.tier === at.tier && !/^[0-9]/u.test(wallet.key));
  const indexed = at.wallets.find((wallet) => wallet.tier === at.tier && /^[0-9]/u.test(wallet.key));
  // Only a tier whose every wallet has a key of its own is judged by those.
  if (listed !== undefined && indexed === undefined) return addresses.residencyOf({ compartment, label: listed.key });
  return addresses.residencyOf({ compartment, index: 0 });
}

function judgeChange(
  { knowledge }: CoreParts,
  question: { intent: AuthorityIntent; approvers: readonly string[]; now: bigint },
): Judgement {
  return judgeAuthority(knowledge.registry(), question);
}

type Payment = Extract<Intent, { readonly amount: bigint }>;

function usedBy({ knowledge }: CoreParts, intent: Payment): { times: bigint; first?: bigint } {
  return knowledge.paid(intent.compartment, intent.to) ?? { times: 0n };
}

/** Own addresses of the compartment that look like the destination: somebody may have made one that does. */
function ownOf({ knowledge }: CoreParts, { compartment, to }: Payment): readonly KnownAddress[] {
  const label = `own address of compartment ${compartment}`;
  return knowledge.certified.alike(compartment, to).map((address) => ({ address, label }));
}
