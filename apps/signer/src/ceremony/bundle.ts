import { readFile } from 'node:fs/promises';
import { type CanonicalObject, canonicalJson } from '@bulkhead/authority';
import { CustodyError, type DecisionRecord } from '@bulkhead/domain';
import { openTokenIdentity, slotNames } from '@bulkhead/keys';
import { z } from 'zod';
import { nativeHashes } from '../process/native-hashes.ts';
import { openStateLog } from '../core/log.ts';
import { openStateFile } from '../core/state-file.ts';
import {
  accountForm,
  accountObject,
  accountOf,
  type CeremonyAccount,
  parseAccounts,
  signedBy,
  signedForm,
} from './accounts.ts';
import { documentText, parseDocument, sha256Of } from './document.ts';
import { planDigest } from './plan.ts';
import { lineOf, readChain } from './record.ts';
import { placeOf, type Stage } from './stage.ts';
import { textOf } from './step-actions.ts';
import { writeWhole } from './whole-text.ts';

/** Bytes of a bundle. Almost all of them are the list of the registry. */
export const bundleBytesMax: number = 64 * 2 ** 20;

/** First line of what the identity keys sign for a bundle: no statement of a signer begins like this. */
export const manifestHeader = 'bulkhead-ceremony-v1\n';

const recordForm = z.strictObject({
  sequence: z.string().regex(/^[1-9][0-9]{0,18}$/u),
  line: z.string(),
  previous: z.string(),
  following: z.array(z.string()).max(64),
  head: signedForm,
});

const schema = z.strictObject({
  format: z.literal('bulkhead-ceremony-bundle-v1'),
  /** Text of the plan. */
  plan: z.string(),
  /** Lines of the record. */
  record: z.array(z.string()),
  /** Text of the sealed seed: it opens nothing without a token. */
  envelope: z.string(),
  accounts: z.array(accountForm),
  /** Canonical text of the first list of the registry. */
  registry: z.string(),
  /** The first record of the signer's log. */
  opened: recordForm,
  /** What the identity keys sign. */
  manifest: z.string(),
  signatures: z.array(z.strictObject({ identity: z.string(), signature: z.string() })).length(2),
});

type BundleForm = z.output<typeof schema>;

/** `spec/ceremony.md`. */
export type Bundle = Omit<BundleForm, 'accounts' | 'opened'> & {
  readonly accounts: readonly CeremonyAccount[];
  readonly opened: DecisionRecord;
};

/** Everything of a bundle but the signatures over it. */
export type BundleParts = Omit<Bundle, 'format' | 'manifest' | 'signatures'>;

/**
 * The text that is signed: a digest of each part, so that a part that was changed can be named.
 *
 * @param head Hash of the last line of the record
 */
export function manifestText(
  parts: BundleParts,
  of: { readonly deployment: string; readonly identities: readonly string[]; readonly head: string },
): string {
  return `${manifestHeader}${canonicalJson({
    ...of,
    plan: planDigest(parts.plan),
    lines: String(parts.record.length),
    envelope: sha256Of(parts.envelope),
    accounts: parts.accounts.map(
      (account) => `${account.compartment} ${sha256Of(canonicalJson(accountObject(account)))}`,
    ),
    registry: sha256Of(parts.registry),
    opened: sha256Of(canonicalJson(openedObject(parts.opened))),
  })}`;
}

/**
 * Writes the bundle of a closed record, signed by the identity key of each slot. It can be done again: the same record gives the same
 * bytes.
 */
export async function exportBundle(stage: Stage): Promise<Bundle> {
  const { planText, list, plan, record, console } = stage;
  const tokens = await stage.tokens();
  const parts: BundleParts = {
    plan: planText,
    record: [...record.texts],
    envelope: await readFile(placeOf(stage, 'envelope'), 'utf8'),
    accounts: parseAccounts(await readFile(placeOf(stage, 'accounts'), 'utf8')),
    registry: list,
    opened: await openedRecord(placeOf(stage, 'state')),
  };
  const identity = lineOf(record.lines, 'identity')?.result;
  const manifest = manifestText(parts, {
    deployment: plan.deployment,
    identities: slotNames.map((slot) => textOf(identity, slot)),
    head: readChain(record.texts, planDigest(planText)).hash,
  });
  const signatures = [];
  for (const slot of slotNames) {
    await using key = await openTokenIdentity(tokens[slot]);
    const { signature } = await signedBy(key, manifest);
    signatures.push({ identity: key.publicKey, signature });
  }
  const bundle: Bundle = { format: 'bulkhead-ceremony-bundle-v1', ...parts, manifest, signatures };
  await writeWhole(placeOf(stage, 'bundle'), bundleText(bundle));
  console.say(`\nThe bundle is ${placeOf(stage, 'bundle')}`);
  return bundle;
}

/** The first record, as the state holds it, with the head that was signed over it. */
async function openedRecord(directory: string): Promise<DecisionRecord> {
  await using file = await openStateFile(directory);
  const { log } = await openStateLog({ file, hashes: nativeHashes(), onRecord: () => undefined });
  const [record] = await log.records({ after: 0n, limit: 1, upTo: 1n });
  if (record !== undefined) return record;
  throw damaged(`${directory} has no first record. Repeat the ceremony`);
}

export function bundleText(bundle: Bundle): string {
  return documentText({
    ...bundle,
    accounts: bundle.accounts.map(accountObject),
    opened: openedObject(bundle.opened),
    signatures: bundle.signatures.map((signed) => ({ ...signed })),
  });
}

function openedObject({ sequence, head, ...rest }: DecisionRecord): CanonicalObject {
  return { ...rest, sequence: String(sequence), head: { ...head } };
}

/** @throws CustodyError `ceremony/damaged-bundle` for a text that no ceremony wrote */
export function parseBundle(text: string): Bundle {
  if (text.length > bundleBytesMax) throw damaged(`it has more than ${bundleBytesMax} bytes`);
  const document = parseDocument(text);
  if (document === undefined) {
    throw damaged(
      'the file is not in its canonical form: a character outside of the texts was changed, or it is no bundle',
    );
  }
  const { data, error } = schema.safeParse(document);
  if (data === undefined) {
    const places = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw damaged(`a part of it is not in its form (${places.join('; ').slice(0, 400)})`);
  }
  const { accounts, opened, ...rest } = data;
  return {
    ...rest,
    accounts: accounts.map(accountOf),
    opened: { ...opened, sequence: BigInt(opened.sequence) },
  };
}

function damaged(fact: string): CustodyError {
  return new CustodyError('ceremony/damaged-bundle', `The bundle cannot be used: ${fact}. Take a sound copy of it.`);
}
