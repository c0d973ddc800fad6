import { randomBytes } from 'node:crypto';
import { CustodyError, invariant } from '@bulkhead/domain';
import { createSecret, type Secret } from './memory.ts';
import type { Token } from './pkcs11/token.ts';
import {
  type Envelope,
  envelopeAad,
  envelopeOf,
  parseSealedSeed,
  type SealedSeedFile,
  sealedSeedFileBytesMax,
  sealTagBytes,
  slotNames,
  type SlotName,
  writeSealedSeed,
} from './sealed-seed-file.ts';
import { type KeyTree, masterFingerprint, openTree } from './tree.ts';
import { createWhole, readPrivate, replaceWhole } from './whole-file.ts';

/** A token that a seed is sealed to, and the label of its sealing key there (`generateSealingKey`). */
export type SealingToken = { readonly token: Token; readonly kek: string };

/** The token of each slot. */
export type SealingTokens = Readonly<Record<SlotName, SealingToken>>;

/** What a ceremony records of a restore drill. */
export type DrillResult = {
  readonly slot: SlotName;
  readonly seedId: string;
  /** What the file says, with which the restored seed was compared. */
  readonly fingerprint: string;
  readonly tokenLabel: string;
  /** Of the token that the envelope was sealed to. */
  readonly tokenSerial: string;
  readonly passed: boolean;
  /** Why it did not pass, or that it did. Holds nothing secret. */
  readonly finding: string;
};

/**
 * Seals an entropy to both slots and writes the file, or does neither: both envelopes are opened again before the file appears, and
 * it appears whole. An existing file is never replaced.
 *
 * @throws CustodyError `hsm/…` of the token that failed; `hsm/refused` where both slots are one token or a sealing key could leak;
 *   `key/file-exists`, `key/file-access`, `key/missing-file`
 */
export async function sealSeed(options: {
  readonly path: string;
  readonly entropy: Secret;
  readonly slots: SealingTokens;
}): Promise<{ readonly seedId: string; readonly fingerprint: string }> {
  const { entropy, slots } = options;
  await assertApart(slots.hsm_slot_1.token, slots.hsm_slot_2.token);
  const head = {
    v: 1,
    seedId: randomBytes(16).toString('hex'),
    fingerprint: masterFingerprint(entropy),
  } as const;
  const [first, second] = slotNames;
  const file: SealedSeedFile = {
    ...head,
    slots: [
      await seal({ head, entropy, slot: first, to: slots[first] }),
      await seal({ head, entropy, slot: second, to: slots[second] }),
    ],
  };
  await createWhole(options.path, writeSealedSeed(file));
  return { seedId: head.seedId, fingerprint: head.fingerprint };
}

/**
 * Seals the seed of one slot to another token. The seed comes from the other slot, which thereby proves that it still opens: the
 * file never has fewer than two envelopes that were opened on the day of writing.
 *
 * @throws CustodyError as {@link sealSeed}, and `hsm/tampered-envelope`
 */
export async function rotateSlot(options: {
  readonly path: string;
  readonly slot: SlotName;
  readonly to: SealingToken;
  /** The token of the other slot. */
  readonly other: Token;
}): Promise<void> {
  const { path, slot, to } = options;
  const file = await readSealedSeed(path);
  const other = slotNames[slot === slotNames[0] ? 1 : 0];
  await assertApart(options.other, to.token);
  using entropy = await unsealEntropy({ file, slot: other, token: options.other });
  const sealed = await seal({ head: file, entropy, slot, to });
  const [first, second] = file.slots;
  const slots = slot === first.slot ? ([sealed, second] as const) : ([first, sealed] as const);
  // A crash before leaves the old file with the old token, one after it the new one; the seed is the same in both.
  await replaceWhole(path, writeSealedSeed({ ...file, slots }));
}

/** Restores the seed from one slot into memory, compares its fingerprint, and wipes it. Never throws for a slot that fails: that is its result. */
export async function drillSlot(options: {
  readonly path: string;
  readonly slot: SlotName;
  readonly token: Token;
}): Promise<DrillResult> {
  const { slot, token } = options;
  const file = await readSealedSeed(options.path);
  const { seedId, fingerprint } = file;
  const subject = { slot, seedId, fingerprint, tokenLabel: token.label, tokenSerial: envelopeOf(file, slot).serial };
  try {
    const tree = await unsealTree({ file, slot, token });
    tree.wipe();
    return {
      ...subject,
      passed: true,
      finding: 'The seed was restored from this slot and has the fingerprint of the file.',
    };
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return { ...subject, passed: false, finding: `${error.code}: ${error.message}` };
  }
}

/** @throws CustodyError `key/missing-file`, `key/file-access`, `key/damaged-file` */
export async function readSealedSeed(path: string): Promise<SealedSeedFile> {
  return parseSealedSeed(await readPrivate(path, sealedSeedFileBytesMax), path);
}

type Sealed = { readonly file: SealedSeedFile; readonly slot: SlotName; readonly token: Token };

/**
 * The entropy of a slot, in locked memory. The caller wipes it.
 *
 * @throws CustodyError `hsm/tampered-envelope`, or another `hsm/…` of the token
 */
export async function unsealEntropy(sealed: Sealed): Promise<Secret> {
  const { file, slot, token } = sealed;
  const entropy = await openEnvelope(file, envelopeOf(file, slot), token);
  try {
    if (masterFingerprint(entropy) === file.fingerprint) return entropy;
  } catch (error) {
    entropy.wipe();
    throw error;
  }
  entropy.wipe();
  throw otherSeed(sealed);
}

/** The same as the tree of its keys: the entropy is wiped already. */
export async function unsealTree(sealed: Sealed): Promise<KeyTree> {
  const { file, slot, token } = sealed;
  using entropy = await openEnvelope(file, envelopeOf(file, slot), token);
  const tree = openTree(entropy);
  if (tree.fingerprint === file.fingerprint) return tree;
  tree.wipe();
  throw otherSeed(sealed);
}

type Head = Pick<SealedSeedFile, 'v' | 'seedId' | 'fingerprint'>;

async function openEnvelope(head: Head, envelope: Envelope, token: Token): Promise<Secret> {
  const ciphertext = Buffer.from(envelope.ciphertext, 'hex');
  const iv = Buffer.from(envelope.iv, 'hex');
  const entropy = createSecret(ciphertext.length - sealTagBytes);
  try {
    const aad = envelopeAad(head, envelope);
    await entropy.lend((into) => token.unseal(envelope.kek, { iv, ciphertext, aad, into }));
    return entropy;
  } catch (error) {
    entropy.wipe();
    throw error;
  }
}

async function seal(of: {
  readonly head: Head;
  readonly entropy: Secret;
  readonly slot: SlotName;
  readonly to: SealingToken;
}): Promise<Envelope> {
  const { head, entropy, slot } = of;
  const { token, kek } = of.to;
  const aad = envelopeAad(head, { slot, kek });
  const { iv, ciphertext } = await entropy.lend((plaintext) => token.seal(kek, { plaintext, aad }));
  const envelope: Envelope = {
    slot,
    serial: (await token.describe()).serial,
    label: token.label,
    kek,
    iv: Buffer.from(iv).toString('hex'),
    ciphertext: Buffer.from(ciphertext).toString('hex'),
  };
  // Opened again before anybody relies on it.
  using again = await openEnvelope(head, envelope, token);
  const same = entropy.read((left) => again.read((right) => Buffer.compare(left, right) === 0));
  invariant(same, 'A token opens an envelope to something else than was sealed.');
  await assertSealingKey(of.to);
  return envelope;
}

/** A key that wraps or leaves the token would let the seed be read out through the token's own calls. */
async function assertSealingKey(to: SealingToken): Promise<void> {
  const { sensitive, extractable, wraps, unwraps } = await to.token.attributes(to.kek);
  if (sensitive && !extractable && !wraps && !unwraps) return;
  throw new CustodyError(
    'hsm/refused',
    `The key "${to.kek}" on the token "${to.token.label}" must not seal a seed: sensitive ${sensitive}, extractable ${extractable}, wraps ${wraps}, unwraps ${unwraps}. Make one with generateSealingKey.`,
    { details: { label: to.kek } },
  );
}

async function assertApart(one: Token, another: Token): Promise<void> {
  const { serial } = await one.describe();
  if (serial !== (await another.describe()).serial) return;
  throw new CustodyError(
    'hsm/refused',
    `Both slots are the token "${another.label}" (serial ${serial}): its loss would be the loss of the seed. Give each slot a token of its own.`,
    { details: { serial } },
  );
}

function otherSeed(sealed: Sealed): CustodyError {
  return new CustodyError(
    'hsm/tampered-envelope',
    `The seed in ${sealed.slot} has not the fingerprint ${sealed.file.fingerprint} that the file states. It is not used: restore the file from its copy.`,
    { details: { slot: sealed.slot } },
  );
}
