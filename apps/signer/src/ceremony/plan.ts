import { randomBytes } from 'node:crypto';
import { applyList, emptyRegistry, parseList } from '@bulkhead/authority';
import { CustodyError, parseCompartment } from '@bulkhead/domain';
import { shareCountMax } from '@bulkhead/keys';
import { z } from 'zod';
import { nativeHashes } from '../process/native-hashes.ts';
import { documentText, parseDocument, sha256Of } from './document.ts';
import { stepIds, stepTexts } from './steps.ts';

/** Compartments whose account keys one ceremony certifies. Others are certified by the running signer. */
export const planCompartmentsMax: number = 1_000;

/** Characters of a plan. */
export const planCharactersMax: number = 262_144;

/** People who watch one ceremony. */
export const witnessesMax: number = 12;

/** Throws of a six-sided die that are typed: 2.58 bits each, 258 in all. */
export const diceRollsNeeded: number = 100;

const personName = z
  .string()
  .min(1)
  .max(64)
  .refine((text) => text.normalize('NFC').trim() === text && !/[\p{C}\p{Zl}\p{Zp}]/u.test(text), {
    error: 'is no name: no blanks at its ends, no control characters, in NFC',
  });
const digits = z.string().regex(/^(?:0|[1-9][0-9]{0,9})$/u, 'must be a whole number in digits');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/u, 'must be 64 lower-case hex digits');
const word = z.enum(['true', 'false']);

const slotFields = {
  library: z.string().regex(/^\/[^\0]{1,4000}$/u, 'must be an absolute path'),
  label: z.string().regex(/^[\x20-\x7e]{1,32}$/u, 'must be 1 to 32 printable ASCII characters'),
  /** What the library reads from its environment, such as SOFTHSM2_CONF. */
  environment: z.record(z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/u), z.string().max(4_096)),
};

const schema = z.strictObject({
  format: z.literal('bulkhead-ceremony-plan-v1'),
  name: personName,
  deployment: z.string().regex(/^[0-9a-f]{32}$/u, 'must be 32 lower-case hex digits'),
  performer: personName,
  witnesses: z.array(personName).min(1).max(witnessesMax),
  confirmations: digits,
  slots: z.tuple([
    z.strictObject({ name: z.literal('hsm_slot_1'), ...slotFields }),
    z.strictObject({ name: z.literal('hsm_slot_2'), ...slotFields }),
  ]),
  entropy: z.strictObject({ hsm: z.literal('true'), dice: word }),
  shares: z.strictObject({
    threshold: digits,
    count: digits,
    holders: z.array(personName).min(2).max(shareCountMax),
  }),
  compartments: z.array(digits).min(1).max(planCompartmentsMax),
  registry: z.strictObject({ digest: sha256, items: digits }),
  program: sha256,
  steps: z.array(z.strictObject({ id: z.enum(stepIds), text: z.string().min(1).max(2_000) })).length(stepIds.length),
});

/** `spec/ceremony.md`. All values are texts. */
export type Plan = z.output<typeof schema>;
export type PlanSlot = Plan['slots'][number];

/** What is decided before a ceremony; the rest of the plan follows from it. */
export type PlanOrder = Pick<Plan, 'name' | 'performer' | 'witnesses' | 'slots' | 'program'> & {
  /** Absent: fixed at random here. */
  readonly deployment?: string;
  readonly confirmations: number;
  readonly dice: boolean;
  readonly threshold: number;
  readonly holders: readonly string[];
  readonly compartments: readonly number[];
  /** Canonical text of the first list of the registry. */
  readonly list: string;
};

/**
 * The text of a plan.
 *
 * @throws CustodyError `ceremony/malformed-plan`, `signer/registry-list`
 */
export function planText(order: PlanOrder): string {
  const { name, performer, witnesses, slots, program } = order;
  const deployment = order.deployment ?? randomBytes(16).toString('hex');
  const text = documentText({
    format: 'bulkhead-ceremony-plan-v1',
    name,
    deployment,
    performer,
    witnesses,
    confirmations: String(order.confirmations),
    slots: [{ ...slots[0] }, { ...slots[1] }],
    entropy: { hsm: 'true', dice: String(order.dice) },
    shares: { threshold: String(order.threshold), count: String(order.holders.length), holders: order.holders },
    compartments: order.compartments.map(String),
    registry: { digest: sha256Of(order.list), items: String(parseList(order.list).length) },
    program,
    steps: stepIds.map((id) => ({ id, text: stepTexts[id] })),
  });
  assertList(parsePlan(text), order.list);
  return text;
}

/** @throws CustodyError `ceremony/malformed-plan` with every mistake at once */
export function parsePlan(text: string): Plan {
  if (text.length > planCharactersMax) throw malformed([`it has more than ${planCharactersMax} characters`]);
  const document = parseDocument(text);
  if (document === undefined) throw malformed(['it is not in its canonical form']);
  const result = schema.safeParse(document);
  const faults = result.success
    ? contradictions(result.data)
    : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  if (!result.success || faults.length > 0) throw malformed(faults);
  return result.data;
}

/** SHA-256 of the plan's bytes: what is written down before the ceremony and typed at its beginning. */
export function planDigest(text: string): string {
  return sha256Of(text);
}

/**
 * The list is the one that the plan names, and opens a registry.
 *
 * @throws CustodyError `ceremony/malformed-plan`, `signer/registry-list`
 */
export function assertList(plan: Plan, list: string): void {
  const digest = sha256Of(list);
  if (digest !== plan.registry.digest) {
    throw malformed([`the registry list has the digest ${digest}, and the plan names ${plan.registry.digest}`]);
  }
  if (String(parseList(list).length) !== plan.registry.items) throw malformed(['the registry list has other items']);
  applyList(nativeHashes(), emptyRegistry(plan.deployment), { list, now: 0n, authority: 'opening' });
}

/** What each value alone does not show. */
function contradictions(plan: Plan): readonly string[] {
  const { performer, witnesses, shares, slots } = plan;
  const confirmations = Number(plan.confirmations);
  const threshold = Number(shares.threshold);
  const faults: string[] = [];
  if (hasTwice([performer, ...witnesses])) {
    faults.push('witnesses: a person stands twice among performer and witnesses');
  }
  if (confirmations < 1 || confirmations > witnesses.length) {
    faults.push(`confirmations: ${confirmations} of ${witnesses.length} witnesses cannot confirm; at least 1 must`);
  }
  if (hasTwice(shares.holders)) faults.push('shares.holders: a person would hold two shares');
  if (shares.holders.length !== Number(shares.count)) faults.push('shares.count: it is not the number of holders');
  if (threshold < 2 || threshold > shares.holders.length) {
    faults.push(`shares.threshold: ${threshold} of ${shares.holders.length} is no quorum; at least 2, at most all`);
  }
  const [first, second] = slots;
  if (first.library === second.library && first.label === second.label) faults.push('slots: both are one token');
  if (hasTwice(plan.compartments)) faults.push('compartments: one stands twice');
  faults.push(...plan.compartments.flatMap(compartmentFault));
  if (plan.steps.some(({ id }, at) => id !== stepIds[at])) {
    faults.push(`steps: they are ${stepIds.join(', ')}, in this order`);
  }
  return faults;
}

function compartmentFault(text: string): readonly string[] {
  try {
    parseCompartment(Number(text));
    return [];
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return [`compartments: ${error.message}`];
  }
}

function hasTwice(texts: readonly string[]): boolean {
  return new Set(texts).size < texts.length;
}

function malformed(faults: readonly string[]): CustodyError {
  return new CustodyError(
    'ceremony/malformed-plan',
    `The plan of the ceremony cannot be carried out: ${faults.join('; ')}. Correct it, and write its new SHA-256 down.`,
  );
}
