/**
 * What people may do. One person has one role; two roles for one person are two tokens with two names, and the rule that the
 * requester may not approve goes by name.
 */
export const roles = ['admin', 'operator', 'approver', 'auditor'] as const;

export type Role = (typeof roles)[number];
