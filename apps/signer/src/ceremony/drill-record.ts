import { open, readFile } from 'node:fs/promises';
import { type CanonicalObject, canonicalJson, parseCanonicalJson } from '@bulkhead/authority';
import { CustodyError } from '@bulkhead/domain';
import { type IdentityKey, parseSealedSeed, type SlotName, slotNames } from '@bulkhead/keys';
import { z } from 'zod';
import { signedBy, signedForm } from './accounts.ts';
import type { Bundle } from './bundle.ts';
import { sha256Of } from './document.ts';
import { planDigest } from './plan.ts';
import { lineOf, readChain } from './record.ts';
import { type Finding, identitiesOf, isSigned } from './verification.ts';

/** First line of what an identity key signs for a drill. */
export const drillHeader = 'bulkhead-drill-v1\n';

/** First line of what the identity key of the slot that works signs for the sealing of the other one to another token. */
export const resealHeader = 'bulkhead-reseal-v1\n';

/** Age of the newest drill of a slot, in days: a quarter, of which none has more than 92. */
export const drillAgeDaysMax: number = 92;

const dayMs = 86_400_000;
const hash = z.string().regex(/^[0-9a-f]{64}$/u);
const said = {
  slot: z.enum(slotNames),
  seedId: z.string(),
  fingerprint: z.string(),
  tokenLabel: z.string(),
  tokenSerial: z.string(),
  performer: z.string(),
  witness: z.string(),
  began: z.iso.datetime({ precision: 3 }),
  ended: z.iso.datetime({ precision: 3 }),
  previous: hash,
};
const drillForm = z.strictObject({ ...said, passed: z.enum(['true', 'false']), finding: z.string() });
const resealForm = z.strictObject({ ...said, envelope: hash, identity: hash });

/** Public identity keys of the tokens, by slot. */
export type SlotIdentities = Readonly<Record<SlotName, string>>;

/** The record of drills and where it stands. `bundle` is the text of the bundle: the first line is chained to it. */
export type DrillRecord = { readonly path: string; readonly bundle: string };

/** The lines of a record of drills; none where there is no file yet. */
export async function drillLines(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}

/**
 * Appends a line that an identity key has signed, and that names the hash of the line before it. Returned: it survives a loss of power.
 *
 * @throws CustodyError `ceremony/damaged-bundle` where the record does not end with a line, `hsm/…`
 */
export async function appendSigned(
  record: DrillRecord,
  of: { readonly header: string; readonly facts: CanonicalObject; readonly identity: IdentityKey },
): Promise<void> {
  const previous = lastHash(record, await drillLines(record.path));
  const signed = await signedBy(of.identity, of.header + canonicalJson({ ...of.facts, previous }));
  const handle = await open(record.path, 'a', 0o600);
  try {
    await handle.appendFile(`${canonicalJson({ ...signed })}\n`, 'utf8');
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function lastHash({ path, bundle }: DrillRecord, text: string): string {
  if (text === '') return sha256Of(bundle);
  if (text.endsWith('\n')) return sha256Of(text.split('\n').at(-2) ?? '');
  throw new CustodyError(
    'ceremony/damaged-bundle',
    `The last line of ${path} is not whole. Keep a copy of it, remove that line, and do this again.`,
  );
}

export type DrillsRead = {
  readonly findings: readonly Finding[];
  /** Identity keys that count after the last line. */
  readonly identities: SlotIdentities;
};

type Slot = { readonly ended: string; readonly passed: boolean };
type Reading = {
  identities: Record<SlotName, string>;
  readonly newest: Record<SlotName, Slot>;
  readonly faults: string[];
  last: string;
};

/**
 * Verifies the record of drills: that each line follows the one before, is signed by the identity key of its slot, and is about the seed
 * of the bundle; and that the newest drill of each slot passed and is not too old. The drill of the ceremony itself is the first one.
 *
 * What nobody can see from the record alone is that lines are missing at its end; the age of what is left then tells.
 *
 * @param of.identities Identity keys at the beginning, where tokens were restored; those of the bundle without it
 */
export function verifyDrills(
  bundle: Bundle,
  of: { readonly record: DrillRecord; readonly text: string; readonly now: Date; readonly identities?: SlotIdentities },
): DrillsRead {
  const { text, now } = of;
  const [one = '', two = ''] = identitiesOf(bundle);
  const held = lineOf(readChain(bundle.record, planDigest(bundle.plan)).lines, 'drill');
  const first: Slot = { ended: held?.ended ?? '', passed: held !== undefined };
  const reading: Reading = {
    identities: { ...(of.identities ?? { hsm_slot_1: one, hsm_slot_2: two }) },
    newest: { hsm_slot_1: first, hsm_slot_2: first },
    faults: [],
    last: sha256Of(of.record.bundle),
  };
  const lines = text.split('\n');
  if (lines.pop() !== '') reading.faults.push('the last line is not whole');
  const { fingerprint } = parseSealedSeed(bundle.envelope, 'the envelope of the bundle');
  for (const [at, line] of lines.entries()) {
    const fault = take(reading, { line, fingerprint });
    if (fault === undefined) continue;
    reading.faults.push(`line ${at + 1} ${fault}; it and what follows does not count`);
    break;
  }
  return {
    findings: [
      { part: 'drills', faults: reading.faults, detail: `${lines.length} lines, each signed and in its place` },
      ...slotNames.map((slot) => ageOf(slot, reading.newest[slot], now)),
    ],
    identities: reading.identities,
  };
}

function ageOf(slot: SlotName, { ended, passed }: Slot, now: Date): Finding {
  const faults: string[] = [];
  const days = (now.getTime() - Date.parse(ended)) / dayMs;
  const age = `the newest drill is of ${ended}, ${Math.floor(days)} days ago`;
  if (!passed) faults.push(`${age}, and did not pass: repair the slot, or seal it to another token`);
  // An end that is no date, or one in the future, has no age that could be young.
  if (!(days <= drillAgeDaysMax && days >= -1)) {
    faults.push(`${age}; ${drillAgeDaysMax} are allowed: hold a drill of this slot`);
  }
  return { part: slot, faults, detail: age };
}

type Taken = { readonly line: string; readonly fingerprint: string };

/** Takes a line in; answers what is wrong with it, and then nothing of it was taken. */
function take(reading: Reading, { line, fingerprint }: Taken): string | undefined {
  const signed = signedOf(line);
  if (signed === undefined) return 'is not in its form';
  const { statement, identity, signature } = signed;
  const drill = factsOf(drillForm, { statement, header: drillHeader });
  const reseal = factsOf(resealForm, { statement, header: resealHeader });
  const facts = drill ?? reseal;
  if (facts === undefined) return 'says neither a drill nor a sealing';
  // A drill is signed by the slot that was tried, a sealing by the one that still worked.
  const signer = drill === undefined ? otherSlot(facts.slot) : facts.slot;
  if (facts.previous !== reading.last) return 'does not follow the line before it';
  if (identity !== reading.identities[signer]) return `is signed by ${identity}, which is not the key of ${signer}`;
  if (!isSigned(statement, identity, signature)) return 'was changed: its signature is not one over it';
  if (facts.fingerprint !== fingerprint) return `is about the seed ${facts.fingerprint}, not about ${fingerprint}`;
  if (facts.began > facts.ended) return 'ends before it begins';
  if (facts.ended < reading.newest[facts.slot].ended) return `is older than the drill of ${facts.slot} before it`;
  reading.last = sha256Of(line);
  reading.newest[facts.slot] = { ended: facts.ended, passed: drill?.passed !== 'false' };
  if (reseal !== undefined) {
    reading.identities = { ...reading.identities, [reseal.slot]: reseal.identity };
    // The seed came from the other slot, which is a drill of that one.
    reading.newest[signer] = { ended: reseal.ended, passed: true };
  }
  return undefined;
}

export function otherSlot(slot: SlotName): SlotName {
  return slot === 'hsm_slot_1' ? 'hsm_slot_2' : 'hsm_slot_1';
}

function signedOf(line: string): z.output<typeof signedForm> | undefined {
  return signedForm.safeParse(canonicalOf(line)).data;
}

function factsOf<T>(form: z.ZodType<T>, of: { readonly statement: string; readonly header: string }): T | undefined {
  if (!of.statement.startsWith(of.header)) return undefined;
  return form.safeParse(canonicalOf(of.statement.slice(of.header.length))).data;
}

function canonicalOf(text: string): unknown {
  try {
    return parseCanonicalJson(text);
  } catch (error) {
    if (error instanceof CustodyError) return undefined;
    throw error;
  }
}
