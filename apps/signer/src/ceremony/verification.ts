import { createPublicKey, verify } from 'node:crypto';
import { applyList, canonicalJson, emptyRegistry, isCanonicalObject, parseCanonicalJson } from '@bulkhead/authority';
import { CustodyError } from '@bulkhead/domain';
import { deriveAddress, parseSealedSeed, type SlotName, slotNames } from '@bulkhead/keys';
import { verifyAccount, verifyRecord } from '@bulkhead/signer-client';
import { nativeHashes } from '../process/native-hashes.ts';
import { accountObject } from './accounts.ts';
import { type Bundle, manifestHeader, manifestText } from './bundle.ts';
import { sealingLabel } from './ceremony-token.ts';
import { isDone } from './conductor.ts';
import { sha256Of } from './document.ts';
import { assertList, parsePlan, type Plan, planDigest } from './plan.ts';
import { lineOf, readChain, type RecordLine } from './record.ts';
import { textOf } from './step-actions.ts';
import { stepIds } from './steps.ts';

/** What was looked at, and what is wrong with it; nothing where it is right. */
export type Finding = { readonly part: string; readonly faults: readonly string[]; readonly detail: string };

/** What the verifier knows from elsewhere. */
export type Trusted = {
  /** SHA-256 of the plan, or its last digits, as they were written down. */
  readonly planHash?: string;
  /** Public identity keys as the witnesses wrote them down. */
  readonly identities?: readonly string[];
};

/**
 * Verifies a bundle by itself: no token, no network. Each part has one finding. Without `trusted` it proves that the parts belong
 * together; that it is *the* ceremony follows from the plan's hash and the identity keys that people wrote down.
 */
export function verifyBundle(bundle: Bundle, trusted: Trusted = {}): readonly Finding[] {
  const plan = faultOf(() => parsePlan(bundle.plan));
  const planFaults = plan.value === undefined ? [plan.fault] : planHashFaults(bundle, trusted);
  const findings: Finding[] = [
    finding('signatures', signatureFaults(bundle, trusted), 'both identity keys signed the manifest'),
    finding('plan', [...planFaults, ...manifestFaults(bundle, 'plan')], `SHA-256 ${planDigest(bundle.plan)}`),
    finding('record', recordFaults(bundle, plan.value), `${bundle.record.length} lines, complete and in order`),
  ];
  if (plan.value === undefined) return findings;
  return [
    ...findings,
    finding(
      'certificates',
      accountFaults(bundle, plan.value),
      `${bundle.accounts.length} accounts, each certified twice`,
    ),
    finding(
      'registry',
      registryFaults(bundle, plan.value),
      `the list of the plan, SHA-256 ${plan.value.registry.digest}`,
    ),
    finding('signer state', openedFaults(bundle, plan.value), 'record 1 opens with this list and these identities'),
    finding('envelope', envelopeFaults(bundle), 'the sealed seed is the one of the record'),
  ];
}

/** The lines of a record without who was there and what came of them: what a log may say of each, beside the digest of the line. */
export function recordFacts(bundle: Bundle): readonly RecordFact[] {
  const { lines } = readChain(bundle.record, planDigest(bundle.plan));
  return lines.map(({ type, step, began, ended }, at) => ({
    line: sha256Of(bundle.record[at] ?? ''),
    type,
    step,
    began,
    ended,
  }));
}

export type RecordFact = {
  /** SHA-256 of the line. */
  readonly line: string;
  readonly type: RecordLine['type'];
  readonly step: string;
  readonly began: string;
  readonly ended: string;
};

/** The public identity keys of a bundle, by slot. */
export function identitiesOf(bundle: Bundle): readonly string[] {
  return bundle.signatures.map(({ identity }) => identity);
}

function finding(part: string, faults: readonly string[], detail: string): Finding {
  return { part, faults: [...new Set(faults)], detail };
}

function planHashFaults({ plan }: Bundle, { planHash }: Trusted): readonly string[] {
  if (planHash === undefined) return [];
  const digest = planDigest(plan);
  const wanted = planHash.toLowerCase();
  if (/^[0-9a-f]{8,64}$/u.test(wanted) && digest.endsWith(wanted)) return [];
  return [`its SHA-256 is ${digest}, and ${wanted} is expected: it was changed, or is another plan`];
}

function signatureFaults({ manifest, signatures }: Bundle, { identities }: Trusted): readonly string[] {
  const faults: string[] = [];
  const named = namesOf(manifest)?.['identities'];
  for (const [at, { identity, signature }] of signatures.entries()) {
    const slot = slotNames[at] ?? '';
    if (Array.isArray(named) && named[at] !== identity) {
      faults.push(`the key of ${slot} is not the one in the manifest`);
    }
    if (!isSigned(manifest, identity, signature)) {
      faults.push(
        `the signature of ${slot} is not one of ${identity} over this manifest: signature, key or manifest were changed`,
      );
    }
    if (identities !== undefined && !identities.includes(identity)) {
      faults.push(`the key of ${slot}, ${identity}, is none of those that were written down`);
    }
  }
  const [first, second] = signatures;
  if (first?.identity === second?.identity) faults.push('both signatures are of one key');
  return faults;
}

export function isSigned(text: string, identity: string, signature: string): boolean {
  if (!/^[0-9a-f]{64}$/u.test(identity) || !/^[0-9a-f]{128}$/u.test(signature)) return false;
  const x = Buffer.from(identity, 'hex').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, Buffer.from(text, 'utf8'), key, Buffer.from(signature, 'hex'));
}

type Part = 'plan' | 'lines' | 'head' | 'envelope' | 'accounts' | 'registry' | 'opened' | 'deployment' | 'identities';

/** What the manifest says of a part, against what the part is. */
function manifestFaults(bundle: Bundle, part: Part): readonly string[] {
  const said = namesOf(bundle.manifest);
  if (said === undefined) return ['the manifest cannot be read'];
  const plan = faultOf(() => parsePlan(bundle.plan)).value;
  const { hash } = readChain(bundle.record, planDigest(bundle.plan));
  const own = namesOf(
    manifestText(bundle, { deployment: plan?.deployment ?? '', identities: identitiesOf(bundle), head: hash }),
  );
  const [left, right] = [said[part], own?.[part]];
  if (left !== undefined && right !== undefined && canonicalJson(left) === canonicalJson(right)) return [];
  return ['it is not what the identity keys signed'];
}

function namesOf(manifest: string): Readonly<Record<string, Parameters<typeof canonicalJson>[0]>> | undefined {
  if (!manifest.startsWith(manifestHeader)) return undefined;
  const { value } = faultOf(() => parseCanonicalJson(manifest.slice(manifestHeader.length)));
  return value !== undefined && isCanonicalObject(value) ? value : undefined;
}

function recordFaults(bundle: Bundle, plan: Plan | undefined): readonly string[] {
  const { lines, faults } = readChain(bundle.record, planDigest(bundle.plan));
  const broken = [...faults];
  const signed = [...manifestFaults(bundle, 'head'), ...manifestFaults(bundle, 'lines')];
  // The last line has no line behind it that would show a change.
  if (broken.length === 0 && signed.length > 0) {
    broken.push(`line ${lines.length} of the record, its last, was changed or lines are missing`);
  }
  if (plan === undefined || faults.length > 0) return broken;
  for (const line of lines) broken.push(...confirmationFaults(line, plan));
  const done = stepIds.filter((id) => isDone(lines, id));
  for (const id of stepIds.filter((step) => !done.includes(step))) broken.push(`step "${id}" is not confirmed`);
  broken.push(...orderFaults(lines));
  if (textOf(lineOf(lines, 'plan')?.result, 'plan') !== planDigest(bundle.plan)) {
    broken.push('the plan that was confirmed is another');
  }
  if (textOf(lineOf(lines, 'program')?.result, 'program') !== plan.program) {
    broken.push('the program that was confirmed is another than the plan names');
  }
  return broken;
}

function confirmationFaults(
  { type, sequence, performer, witnesses, began, ended }: RecordLine,
  plan: Plan,
): readonly string[] {
  const faults: string[] = [];
  const known = new Set(witnesses.filter((name) => plan.witnesses.includes(name) && name !== plan.performer));
  if (performer !== plan.performer) faults.push(`line ${sequence} of the record has another performer than the plan`);
  if (began > ended) faults.push(`line ${sequence} of the record ends before it begins`);
  // A failure is written down at once, by the program: nobody has confirmed it.
  if (type === 'failed') return faults;
  if (known.size < Number(plan.confirmations) || known.size !== witnesses.length) {
    faults.push(
      `line ${sequence} of the record is confirmed by ${known.size} witnesses, ${plan.confirmations} are needed`,
    );
  }
  return faults;
}

/** Each step comes when all before it are done, and none twice but after an interruption; time does not run backwards. */
function orderFaults(lines: readonly RecordLine[]): readonly string[] {
  const faults: string[] = [];
  for (const [at, line] of lines.entries()) {
    const before = lines.slice(0, at);
    const next = stepIds.find((id) => !isDone(before, id));
    if (line.step !== next) {
      faults.push(`line ${at + 1} of the record is step "${line.step}" where "${next ?? 'none'}" is due`);
    }
    const last = before.at(-1);
    if (last !== undefined && last.ended > line.began) {
      faults.push(`line ${at + 1} of the record begins before the one before it ends`);
    }
  }
  return faults;
}

function accountFaults(bundle: Bundle, plan: Plan): readonly string[] {
  const faults: string[] = [];
  const identities = identitiesOf(bundle);
  const said = namesOf(bundle.manifest)?.['accounts'];
  const signed = Array.isArray(said) ? said : [];
  for (const account of bundle.accounts) {
    const { compartment, xpub, certificates } = account;
    const name = `the account of compartment ${compartment}`;
    if (!signed.includes(`${compartment} ${sha256Of(canonicalJson(accountObject(account)))}`)) {
      faults.push(`${name} is not what the identity keys signed`);
    }
    // Depth 3 and the number of the compartment are part of what this checks.
    faults.push(...noted(name, () => deriveAddress({ compartment, xpub }, 0)));
    for (const [at, certificate] of certificates.entries()) {
      const about = `certificate ${at + 1} of compartment ${compartment}`;
      if (certificate.identity !== identities[at]) faults.push(`${about} is by another key than that of its slot`);
      const certified = { compartment, xpub, residency: 'hsm-sealed', certificate } as const;
      faults.push(...noted(about, () => verifyAccount(certified, { identities, deployment: plan.deployment })));
    }
    if (certificates.length !== identities.length) {
      faults.push(`${name} has ${certificates.length} certificates, not two`);
    }
  }
  const found = bundle.accounts.map(({ compartment }) => String(compartment));
  if (found.join() !== plan.compartments.join()) {
    faults.push('the accounts are not those of the compartments in the plan');
  }
  return faults;
}

function registryFaults(bundle: Bundle, plan: Plan): readonly string[] {
  return [...noted('the list', () => assertList(plan, bundle.registry)), ...manifestFaults(bundle, 'registry')];
}

function openedFaults(bundle: Bundle, plan: Plan): readonly string[] {
  const identities = identitiesOf(bundle);
  const { value, fault } = faultOf(() => verifyRecord(bundle.opened, identities));
  const faults = [...manifestFaults(bundle, 'opened'), ...manifestFaults(bundle, 'deployment')];
  if (value === undefined) return [...faults, fault];
  const { fields, type, sequence, at } = value;
  const registry = faultOf(() =>
    applyList(nativeHashes(), emptyRegistry(plan.deployment), { list: bundle.registry, now: at, authority: 'opening' }),
  ).value;
  const same =
    type === 'opened' &&
    sequence === 1n &&
    fields['deployment'] === plan.deployment &&
    fields['list'] === bundle.registry &&
    fields['registryHash'] === registry?.hash &&
    canonicalJson(fields['identities'] ?? '') === canonicalJson(identities);
  return same
    ? faults
    : [...faults, 'record 1 of the signer does not open this deployment with this list and these keys'];
}

function envelopeFaults(bundle: Bundle): readonly string[] {
  const faults = [...manifestFaults(bundle, 'envelope')];
  const { lines } = readChain(bundle.record, planDigest(bundle.plan));
  const sealed = lineOf(lines, 'seal')?.result;
  if (sha256Of(bundle.envelope) !== textOf(sealed, 'envelope')) faults.push('it is not the file of the record');
  const { value, fault } = faultOf(() => parseSealedSeed(bundle.envelope, 'the envelope'));
  if (value === undefined) return [...faults, fault];
  if (value.seedId !== textOf(sealed, 'seedId')) faults.push('its seedId is not the one of the record');
  if (value.fingerprint !== textOf(sealed, 'fingerprint')) faults.push('its fingerprint is not the one of the record');
  const serials = lineOf(lines, 'slots')?.result['serials'];
  for (const [at, envelope] of value.slots.entries()) {
    if (envelope.kek !== sealingLabel) faults.push(`${envelope.slot} is sealed under "${envelope.kek}"`);
    if (Array.isArray(serials) && envelope.serial !== serials[at]) {
      faults.push(`${envelope.slot} is sealed to the token ${envelope.serial}, not to the one of the record`);
    }
    faults.push(...drillFaults(lines, envelope.slot));
  }
  return faults;
}

function drillFaults(lines: readonly RecordLine[], slot: SlotName): readonly string[] {
  return textOf(lineOf(lines, 'drill')?.result, slot) === 'passed'
    ? []
    : [`the drill of ${slot} is not recorded as passed`];
}

function noted(about: string, check: () => unknown): readonly string[] {
  const { fault } = faultOf(check);
  return fault === '' ? [] : [`${about}: ${fault}`];
}

function faultOf<T>(check: () => T): { readonly value: T | undefined; readonly fault: string } {
  try {
    return { value: check(), fault: '' };
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return { value: undefined, fault: error.message };
  }
}
