import { amountMax, CustodyError } from '@bulkhead/domain';
import type { RegistryDraft } from './registry-draft.ts';
import { keyMaterial, personKeysMax } from './registry-person.ts';
import type { Person, PersonRole, PolicyDocument, Rule } from './registry.ts';

/** Kinds that nobody may be needed for. The coins of the house and of clients' fees leave by two of them, bounded by a window. */
const unattended: ReadonlySet<Rule['kind']> = new Set(['sweep', 'gas-grant', 'fee-payment', 'vault-fee']);

/**
 * What must hold of a policy and of what its rules name, after a list.
 *
 * @throws CustodyError `signer/registry-list`
 */
export function assertPolicy(draft: RegistryDraft): void {
  const seen = new Set<string>();
  for (const [at, rule] of draft.policy().rules.entries()) {
    const fact = objectionTo(rule);
    if (fact !== undefined) throw wrong(`rule ${at + 1} (${rule.kind}, ${rule.compartments}, ${rule.tier}) ${fact}`);
    if (draft.assets.get(rule.asset) === undefined) {
      throw wrong(`rule ${at + 1} is about ${rule.asset}, which is not listed`);
    }
    const scope = [rule.kind, rule.compartments, rule.tier, rule.asset, rule.amountMax].join(' ');
    if (seen.has(scope)) throw wrong(`rule ${at + 1} says something else for the same: ${scope}`);
    seen.add(scope);
  }
}

function objectionTo(rule: Rule): string | undefined {
  if (!unattended.has(rule.kind)) {
    if (rule.approvals === 0) return 'needs at least one approval';
    return rule.destination === 'own' ? 'goes to enrolled or any destinations, not to own ones' : undefined;
  }
  if (rule.destination !== 'own') return 'goes to own addresses and to no others';
  if (rule.kind !== 'sweep' && rule.windowMax >= amountMax) return 'needs a limit per window: coins change hands by it';
  if (rule.kind === 'gas-grant' && rule.compartments !== 'house') {
    return 'is for compartments of the house: no other grants gas';
  }
  return undefined;
}

/**
 * What must hold of people after a list that changed them or the policy: each key is in one hand, and every quorum can still be
 * reached by people who are not suspended (`all`), or at least the one that can repair the others (`root`).
 *
 * @throws CustodyError `signer/registry-list`
 */
export function assertPeople(people: readonly Person[], policy: PolicyDocument, reach: 'all' | 'root'): void {
  assertKeys(people);
  const active = people.filter((person) => !person.suspended);
  const holding = (role: PersonRole): readonly Person[] => active.filter((person) => person.roles.includes(role));
  const reachable = (role: PersonRole, quorum: number): void => {
    const count = holding(role).length;
    if (count < quorum || quorum < 1) {
      throw wrong(`the ${role} quorum would be ${quorum} of ${count} people who can sign, and nobody could reach it`);
    }
  };
  reachable('root', policy.rootQuorum);
  if (reach === 'root') return;
  reachable('operational', policy.operationalQuorum);
  const approvers = holding('approver');
  const most = Math.max(0, ...holding('requester').map((asks) => approvers.filter((other) => other !== asks).length));
  const tooMany = policy.rules.find((rule) => rule.approvals > most);
  if (tooMany !== undefined) {
    throw wrong(
      `a rule for ${tooMany.kind} needs ${tooMany.approvals} approvals, and for no requester there are more than ${most} other approvers`,
    );
  }
}

function assertKeys(people: readonly Person[]): void {
  const hands = new Map<string, string>();
  for (const { id, keys } of people) {
    if (keys.length === 0 || keys.length > personKeysMax) {
      throw wrong(`"${id}" has ${keys.length} keys, not 1 to ${personKeysMax}`);
    }
    if (new Set(keys.map((key) => key.id)).size < keys.length) throw wrong(`"${id}" has two keys of the same id`);
    for (const material of keys.flatMap((key) => keyMaterial(key))) {
      const other = hands.get(material);
      if (other !== undefined) throw wrong(`"${id}" and "${other}" have the same key: one key is in one hand`);
      hands.set(material, id);
    }
  }
}

function wrong(fact: string): CustodyError {
  return new CustodyError('signer/registry-list', `After its last line: ${fact}.`);
}
