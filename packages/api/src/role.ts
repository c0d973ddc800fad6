/**
 * What people may do; a `client` is none of the custodian's people, and its token names the one client whose proofs it reads. One person has one role; two roles for one person are two tokens with two names, and the rule that the
 * requester may not approve goes by name.
 */
export const roles = ['admin', 'operator', 'approver', 'auditor', 'client'] as const;

export type Role = (typeof roles)[number];
