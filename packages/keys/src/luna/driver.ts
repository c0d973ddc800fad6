import { type Compartment, CustodyError, type KeyPath, type KeyRef, parseCompartment } from '@bulkhead/domain';
import type { KeyDriver } from '../driver.ts';
import { fingerprintOf, hardenedOffset, writeXpub } from '../extended-key.ts';
import { nativeModules } from '../native.ts';
import { cka, ckk, ckm, cko, ckr, ulongBytes } from '../pkcs11/cryptoki.ts';
import { createDirectory, type Directory } from '../pkcs11/directory.ts';
import { writeMechanism, writeTemplate } from '../pkcs11/frame.ts';
import { readAttributes } from '../pkcs11/key-template.ts';
import { callTimeoutMs, createSlot, type Desk, type Slot } from '../pkcs11/slot.ts';
import { type TokenOptions, tokenSessionsMax } from '../pkcs11/token.ts';
import { assertDigest, checkedSignature } from '../signature.ts';
import { assertDerives, deriveChild, deriveMaster, type NodeHandles, type PublicNode, readNode } from './derivation.ts';

export type LunaOptions = TokenOptions & {
  /** Label of the seed in the partition: a generic secret of 16 to 64 bytes that can be derived from. */
  readonly seedLabel: string;
};

export type LunaDriver = KeyDriver & {
  readonly name: 'luna-bip32';
  readonly residency: 'hsm-derived';
};

/** Said wherever this driver shows itself. */
export const lunaEvidence: string = 'ABI-tested, not hardware-tested';

/**
 * Driver `luna-bip32`: the seed stays in a partition of a Thales Luna, which derives every key by BIP-32 and signs with it
 * (firmware 7.3 and newer, policy without FIPS restrictions). Derived keys are session objects and are destroyed after use.
 *
 * It was written after the published ABI and tested against a shim of that ABI. Whether a Luna accepts it, `bulkhead doctor` tells its
 * owner.
 *
 * @throws CustodyError `hsm/unavailable`, `hsm/pin-refused`, `hsm/key-missing`, `hsm/refused`, `config/invalid`
 */
export async function openLunaKeys(options: LunaOptions): Promise<LunaDriver> {
  const slot = slotOf(options);
  const place: Place = { slot, directory: createDirectory(slot.label), seedLabel: options.seedLabel };
  try {
    await slot.run((desk) => assertSeed(desk, place));
  } catch (error) {
    await slot.close();
    throw error;
  }
  return {
    name: 'luna-bip32',
    residency: 'hsm-derived',
    accountXpub: (compartment) => slot.run((desk) => accountXpub(desk, place, parseCompartment(compartment))),
    async publicKey(key) {
      const path = pathOf(key);
      return await slot.run(async (desk) => (await publicNode(desk, place, path)).publicKey);
    },
    async sign(key, digest) {
      assertDigest(digest);
      const path = pathOf(key);
      const made = await slot.run((desk) => sign(desk, place, { path, digest }));
      return checkedSignature({ ...made, digest });
    },
    health: async () => [await health(place)],
    [Symbol.asyncDispose]: () => slot.close(),
  };
}

/**
 * Brings a seed into the partition, not extractable from then on. For a restore from shares, and for the test vectors of `doctor`; a seed
 * for production is better made inside. The caller wipes its own copy.
 *
 * @throws CustodyError `hsm/key-exists`, and what {@link openLunaKeys} throws
 */
export async function importLunaSeed(options: LunaOptions, seed: Uint8Array): Promise<void> {
  const slot = slotOf(options);
  const directory = createDirectory(slot.label);
  const label = options.seedLabel;
  try {
    await slot.run(async (desk) => {
      if ((await directory.look(desk, cko.SECRET_KEY, label)) !== undefined) {
        throw new CustodyError(
          'hsm/key-exists',
          `The partition has a seed "${label}" already, and no seed is replaced.`,
          {
            details: { label },
          },
        );
      }
      const { frame } = desk.session;
      const template = writeTemplate(frame, [
        [cka.CLASS, cko.SECRET_KEY],
        [cka.KEY_TYPE, ckk.GENERIC_SECRET],
        [cka.TOKEN, true],
        [cka.PRIVATE, true],
        [cka.SENSITIVE, true],
        [cka.EXTRACTABLE, false],
        [cka.DERIVE, true],
        [cka.LABEL, Buffer.from(label)],
        [cka.VALUE, seed],
      ]);
      await desk.session.call('C_CreateObject', [template.address, template.count, frame.reserve(ulongBytes).address]);
    }, 'once');
  } finally {
    await slot.close();
  }
}

type Place = { readonly slot: Slot; readonly directory: Directory; readonly seedLabel: string };

function slotOf(options: LunaOptions): Slot {
  return createSlot({
    library: options.library,
    label: options.label,
    pin: options.pin,
    environment: options.environment ?? {},
    sessionsMax: options.sessionsMax ?? tokenSessionsMax,
    timeoutMs: options.timeoutMs ?? callTimeoutMs,
  });
}

async function assertSeed(desk: Desk, { slot, directory, seedLabel }: Place): Promise<void> {
  await assertDerives(desk, slot);
  const seed = await directory.need(desk, cko.SECRET_KEY, seedLabel);
  const attributes = await readAttributes(desk, seed);
  if (attributes.sensitive && !attributes.extractable) return;
  throw new CustodyError(
    'hsm/refused',
    `The seed "${seedLabel}" can be read out of the partition by its attributes, so its keys must not be called derived in hardware. Bring it in as sensitive and not extractable.`,
    { details: { label: seedLabel } },
  );
}

/** The master key is kept as long as its session: deriving it anew would double the work of each signature. */
async function masterOf(desk: Desk, { directory, seedLabel }: Place): Promise<bigint> {
  const { kept } = desk.session;
  const known = kept.get('master');
  if (known !== undefined) return known;
  const seed = await directory.need(desk, cko.SECRET_KEY, seedLabel);
  const { privateKey } = await deriveMaster(desk, seed);
  kept.set('master', privateKey);
  return privateKey;
}

/** Derives a node, works with it and destroys it: sessions live long, and a partition has room for few objects. */
async function withNode<T>(
  desk: Desk,
  place: Place,
  task: { readonly path: readonly number[]; readonly work: (node: NodeHandles) => Promise<T> },
): Promise<T> {
  const node = await deriveChild(desk, await masterOf(desk, place), task.path);
  const result = await task.work(node);
  await desk.session.call('C_DestroyObject', [node.privateKey]);
  await desk.session.call('C_DestroyObject', [node.publicKey]);
  return result;
}

async function publicNode(desk: Desk, place: Place, path: readonly number[]): Promise<PublicNode> {
  return await withNode(desk, place, { path, work: (node) => readNode(desk, node.publicKey) });
}

async function accountXpub(desk: Desk, place: Place, compartment: Compartment): Promise<string> {
  const { secp256k1 } = nativeModules();
  const account = accountPath(compartment);
  const { publicKey, chainCode } = await publicNode(desk, place, account);
  // Depth, number and the parent's fingerprint are computed here: modules encode the attributes for them in different ways.
  const parent = await publicNode(desk, place, account.slice(0, -1));
  return writeXpub({
    depth: account.length,
    parentFingerprint: fingerprintOf(secp256k1.publicKeyConvert(parent.publicKey, true)),
    childNumber: hardenedOffset + compartment,
    chainCode,
    publicKey: secp256k1.publicKeyConvert(publicKey, true),
  });
}

async function sign(
  desk: Desk,
  place: Place,
  task: { readonly path: readonly number[]; readonly digest: Uint8Array },
): Promise<{ readonly compact: Uint8Array; readonly publicKey: Uint8Array }> {
  const { frame, call } = desk.session;
  const work = async (node: NodeHandles): Promise<{ compact: Uint8Array; publicKey: Uint8Array }> => {
    const { publicKey } = await readNode(desk, node.publicKey);
    const message = frame.place(task.digest);
    const signature = frame.reserve(64);
    const length = frame.reserve(ulongBytes);
    length.bytes.writeBigUInt64LE(64n);
    await call('C_SignInit', [writeMechanism(frame, ckm.ECDSA), node.privateKey]);
    await call('C_Sign', [message.address, BigInt(task.digest.length), signature.address, length.address]);
    return { compact: Uint8Array.from(signature.bytes), publicKey };
  };
  return await withNode(desk, place, { path: task.path, work });
}

async function health(place: Place): Promise<{ name: string; healthy: boolean; detail: string }> {
  const { slot } = place;
  try {
    await slot.run(async (desk) => {
      const out = desk.session.frame.reserve(16);
      const result = await desk.session.ask('C_GenerateRandom', [out.address, 16n]);
      if (result === ckr.OK) await assertSeed(desk, place);
    });
    const info = slot.info();
    return {
      name: slot.label,
      healthy: true,
      detail: `${info?.model ?? ''}, serial ${info?.serial ?? ''}; ${lunaEvidence}`,
    };
  } catch (error) {
    const detail = error instanceof CustodyError ? `${error.code}: ${error.message}` : String(error);
    return { name: slot.label, healthy: false, detail: `${detail} (${lunaEvidence})` };
  }
}

function accountPath(compartment: Compartment): readonly number[] {
  return [hardenedOffset + 44, hardenedOffset + 60, hardenedOffset + compartment];
}

function pathOf(key: KeyRef): readonly number[] {
  if ('label' in key) {
    throw new CustodyError(
      'hsm/key-missing',
      `The driver luna-bip32 derives its keys by number and has none called "${key.label}". Give the compartment and the index.`,
      { details: { label: key.label } },
    );
  }
  return [...accountPath(parseCompartment(key.compartment)), 0, indexOf(key)];
}

function indexOf({ index }: KeyPath): number {
  if (Number.isInteger(index) && index >= 0 && index < hardenedOffset) return index;
  throw new CustodyError('key/derivation', `${index} is no index of an address: it is a whole number below 2^31.`);
}
