import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '@bulkhead/authority';
import { type Clock, CustodyError } from '@bulkhead/domain';
import {
  createTokenIdentity,
  drillSlot,
  openTokenIdentity,
  readSealedSeed,
  type RememberedHead,
  rotateSlot,
  type SlotName,
  slotNames,
  tokenHeadStore,
} from '@bulkhead/keys';
import { accountsText, certifyAccounts } from './accounts.ts';
import type { Bundle } from './bundle.ts';
import { assertApart, assertFresh, type CeremonyTokens, makeLogKey, sealingLabel } from './ceremony-token.ts';
import { sha256Of } from './document.ts';
import {
  appendSigned,
  type DrillRecord,
  drillLines,
  otherSlot,
  resealHeader,
  type SlotIdentities,
  verifyDrills,
} from './drill-record.ts';
import { parsePlan } from './plan.ts';
import { ceremonyFiles } from './stage.ts';
import { writeWhole } from './whole-text.ts';

export type ResealOrder = {
  readonly bundle: Bundle;
  readonly record: DrillRecord;
  readonly envelope: string;
  /** Folder of the certificates by the identity keys of now. */
  readonly directory: string;
  /** Whose token is lost. */
  readonly slot: SlotName;
  /** In `slot` the fresh token, in the other one the token that still answers. */
  readonly tokens: CeremonyTokens;
  readonly performer: string;
  readonly witness: string;
  readonly clock: Clock;
  /** Identity keys and deployment of a restored installation; those of the bundle without them. */
  readonly identities?: SlotIdentities;
  readonly deployment?: string;
};

export type Resealed = {
  /** Identity keys of the tokens of now, by slot. */
  readonly identities: SlotIdentities;
  /** The line of a registry list that names them. */
  readonly item: string;
  /** What the signer remembers in both tokens; undefined where no signer has worked with them. */
  readonly head: bigint | undefined;
  readonly certificates: string;
};

/**
 * Seals the seed to a fresh token in the place of a lost one, from the slot that still answers. The fresh token gets an identity key, is
 * opened by a drill, certifies the account keys, and remembers the head that the other one remembers, so that a signer starts with both
 * required. The signer must not run meanwhile: the head would be one of before.
 *
 * The envelope is replaced as a whole once the fresh token opens it. Whatever ends this afterwards leaves a token that is not fresh: it
 * is initialised again and this is done again, as often as needed, for the other slot gives the seed each time. The line of the record
 * comes last and is signed by that slot, whose key people already believe.
 *
 * @throws CustodyError `ceremony/damaged-bundle` where the record of drills is not sound or the other token is not the one of it,
 *   `hsm/…`, `key/…`, `signer/state-exists`
 */
export async function resealSlot(order: ResealOrder): Promise<Resealed> {
  const { envelope, slot, tokens, clock } = order;
  const began = clock.now().toISOString();
  const other = otherSlot(slot);
  await using works = await openTokenIdentity(tokens[other]);
  const known = await knownIdentities(order);
  if (works.publicKey !== known[other]) {
    throw new CustodyError(
      'ceremony/damaged-bundle',
      `The token in ${other} has the identity key ${works.publicKey}, and ${known[other]} is the one of the bundle and its drills. Put the token of this installation into ${other}.`,
    );
  }
  const { serial } = await assertFresh(slot, tokens[slot]);
  assertApart([serial, (await tokens[other].describe()).serial]);
  await tokens[slot].generateSealingKey(sealingLabel);
  await rotateSlot({ path: envelope, slot, to: { token: tokens[slot], kek: sealingLabel }, other: tokens[other] });
  const { passed, finding } = await drillSlot({ path: envelope, slot, token: tokens[slot] });
  if (!passed) throw new CustodyError('hsm/refused', `${slot} does not give the seed back: ${finding}`);
  await makeLogKey(tokens[slot]);
  await using made = await createTokenIdentity(tokens[slot]);
  const identities = { ...known, [slot]: made.publicKey };
  const certificates = await certify(order);
  const head = await tokenHeadStore(tokens[other]).read();
  if (head !== undefined) await tokenHeadStore(tokens[slot]).write(head);
  await assertStill(order, head);
  const { seedId, fingerprint } = await readSealedSeed(envelope);
  await appendSigned(order.record, {
    header: resealHeader,
    identity: works,
    facts: {
      slot,
      seedId,
      fingerprint,
      tokenLabel: tokens[slot].label,
      tokenSerial: serial,
      envelope: sha256Of(await readFile(envelope, 'utf8')),
      identity: made.publicKey,
      performer: order.performer,
      witness: order.witness,
      began,
      ended: clock.now().toISOString(),
    },
  });
  const publicKeys = slotNames.map((name) => identities[name]).toSorted();
  return { identities, item: canonicalJson({ item: 'identities', publicKeys }), head: head?.sequence, certificates };
}

/** The record may have any age here: a slot is lost. But it must be sound, or nobody knows which keys count. */
async function knownIdentities({ bundle, record, clock, identities }: ResealOrder): Promise<SlotIdentities> {
  const text = await drillLines(record.path);
  const read = verifyDrills(bundle, {
    record,
    text,
    now: clock.now(),
    ...(identities === undefined ? {} : { identities }),
  });
  const fault = read.findings.find(({ part }) => part === 'drills')?.faults[0];
  if (fault === undefined) return read.identities;
  throw new CustodyError(
    'ceremony/damaged-bundle',
    `The record of drills ${record.path} cannot be gone on with: ${fault}. Take a sound copy of it.`,
  );
}

/** @throws CustodyError `signer/other-signer-active` where a signer has gone on meanwhile */
async function assertStill({ slot, tokens }: ResealOrder, before: RememberedHead | undefined): Promise<void> {
  const now = await tokenHeadStore(tokens[otherSlot(slot)]).read();
  if (now?.sequence === before?.sequence && now?.hash === before?.hash) return;
  throw new CustodyError(
    'signer/other-signer-active',
    `The token in ${otherSlot(slot)} remembered record ${before?.sequence ?? 0n} and remembers record ${now?.sequence ?? 0n} now: a signer works with it. Stop it, initialise the token in ${slot} again, and repeat this.`,
  );
}

async function certify({ bundle, envelope, tokens, directory, deployment }: ResealOrder): Promise<string> {
  const accounts = await certifyAccounts({
    tokens,
    envelope,
    deployment: deployment ?? parsePlan(bundle.plan).deployment,
    compartments: bundle.accounts.map(({ compartment }) => compartment),
  });
  const path = join(directory, ceremonyFiles.resealedAccounts);
  await writeWhole(path, accountsText(accounts));
  return path;
}
