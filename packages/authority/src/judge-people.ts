import type { PersonRole, Registry } from './registry.ts';

/** People of a role who are not suspended, each once whatever keys they used, without the one left out, sorted. */
export function countedPeople(
  registry: Registry,
  people: readonly string[],
  counted: { readonly role: PersonRole; readonly except?: string | undefined },
): readonly string[] {
  return [...new Set(people)]
    .filter((id) => id !== counted.except && isEntitled(registry, id, counted.role))
    .sort((a, b) => (a < b ? -1 : 1));
}

export function isEntitled(registry: Registry, id: string, role: PersonRole): boolean {
  const { people } = registry;
  const person = people.get(id);
  return person !== undefined && !person.suspended && person.roles.includes(role);
}
