import type { AuthorityQuestion, Judgement, SignerRefusal } from './judgement.ts';
import { countedPeople } from './judge-people.ts';
import type { PersonRole, Registry } from './registry.ts';

/**
 * Whether a change of authority may happen, by the registry of the version before. In this order: deployment, expiry, version,
 * approvals. Whoever proposed the change may be one of those who agree to it: no coin moves, and what counts is how many agree.
 */
export function judgeAuthority(registry: Registry, question: AuthorityQuestion): Judgement {
  const { intent, approvers } = question;
  const role: PersonRole = intent.kind === 'enrolment' ? 'operational' : 'root';
  const { operationalQuorum, rootQuorum } = registry.policy;
  const approvalsNeeded = role === 'operational' ? operationalQuorum : rootQuorum;
  const approvedBy = countedPeople(registry, approvers, { role });
  const base = { approvalsNeeded, requestNeeded: false, approvedBy };
  const refusal = objection(registry, question) ?? missing(role, approvalsNeeded, approvedBy);
  return refusal === undefined ? base : { ...base, refusal };
}

function objection(registry: Registry, { intent, now }: AuthorityQuestion): SignerRefusal | undefined {
  if (intent.deployment !== registry.deployment) return wrongDeployment(intent.deployment, registry.deployment);
  if (now > intent.expiresAt) return expired(intent.id, intent.expiresAt, now);
  if (intent.kind !== 'state-recovery' && intent.before !== registry.version) {
    return {
      code: 'signer/registry-version',
      message: `The list is for version ${intent.before} of the registry, which has version ${registry.version} now. Write the list again for this version and have it approved.`,
      details: { before: String(intent.before), version: String(registry.version) },
    };
  }
  return undefined;
}

function missing(role: PersonRole, needed: number, approvedBy: readonly string[]): SignerRefusal | undefined {
  // A quorum of nobody is that of a registry which no ceremony has opened.
  if (needed >= 1 && approvedBy.length >= needed) return undefined;
  return {
    code: 'signer/approvals-missing',
    message: `${approvedBy.length} of the ${needed} people with the role ${role} have approved, and that is too few.`,
    details: { approved: approvedBy.length, needed, role },
  };
}

export function wrongDeployment(found: string, wanted: string): SignerRefusal {
  return {
    code: 'signer/wrong-deployment',
    message: `The intent belongs to the installation ${found}, and this is ${wanted}. Nothing approved there counts here.`,
    details: { found, wanted },
  };
}

export function expired(id: string, expiresAt: bigint, now: bigint): SignerRefusal {
  return {
    code: 'signer/intent-expired',
    message: `Intent ${id} expired at ${expiresAt} (Unix seconds), and now it is ${now}. Ask for it anew.`,
    details: { id, expiresAt: String(expiresAt), now: String(now) },
  };
}
