import { CustodyError, invariant } from '@bulkhead/domain';
import type { SlotHealth } from '../driver.ts';
import { assertDigest } from '../signature.ts';
import { cka, ckk, ckm, cko, ckr, curves, ulongBytes } from './cryptoki.ts';
import { readDataObject, writeDataObject } from './data-object.ts';
import { createDirectory, type Directory } from './directory.ts';
import { pointAttributeBytesMax, readEd25519Point, readSecp256k1Point } from './ec-point.ts';
import { frameBytes, reserveAttributes, writeGcmParameters, writeMechanism } from './frame.ts';
import {
  assertResident,
  type KeyAttributes,
  type KeyPairKind,
  makeKeyPair,
  makeSealingKey,
  readAttributes,
} from './key-template.ts';
import { describeToken, type TokenDescription } from './mechanism.ts';
import { accept } from './refusal.ts';
import { callTimeoutMs, createSlot, type Desk, type Slot } from './slot.ts';

/**
 * Gives the PIN of the token in bytes of its own. They are overwritten after the login, so each call must give new ones; it is called
 * again when a login has to be repeated.
 */
export type PinSource = () => Uint8Array | Promise<Uint8Array>;

export type TokenOptions = {
  /** Path of the vendor's PKCS#11 library. */
  readonly library: string;
  /** Label of the token; slot numbers change, labels do not. */
  readonly label: string;
  readonly pin: PinSource;
  /** Variables that the library reads when it is initialised, such as `SOFTHSM2_CONF`. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Sessions that are open at once, 1 to {@link tokenSessionsMax}. */
  readonly sessionsMax?: number;
  /** Longest time for one call, in milliseconds; {@link callTimeoutMs} where it is not given. */
  readonly timeoutMs?: number;
};

/** What AES-GCM made: the nonce (12 bytes) and the ciphertext with its tag of 16 bytes at the end. */
export type SealedBytes = { readonly iv: Uint8Array; readonly ciphertext: Uint8Array };

/**
 * A token of a hardware module, logged in. Keys and data are found by their label, which must be the only one of its kind; handles are
 * kept and found again after the module was away.
 *
 * Throws `hsm/unavailable`, `hsm/pin-refused`, `hsm/session-limit`, `hsm/operation-active`, `hsm/key-missing`, `hsm/refused`.
 */
export interface Token extends AsyncDisposable {
  readonly label: string;
  /** `r || s`, 64 bytes, as the token made it: `s` may lie in the upper half. Refuses all but 32 bytes with `hsm/digest-length`. */
  signEcdsa(label: string, digest: Uint8Array): Promise<Uint8Array>;
  /** RFC 8032 over the message itself, 64 bytes. */
  signEddsa(label: string, message: Uint8Array): Promise<Uint8Array>;
  /** secp256k1: uncompressed, 65 bytes. Ed25519: 32 bytes. */
  publicKey(label: string): Promise<Uint8Array>;
  /** Makes a key that cannot leave, reads its attributes back, and answers its public key. Throws `hsm/key-exists`. */
  generateSecp256k1(label: string): Promise<Uint8Array>;
  generateEd25519(label: string): Promise<Uint8Array>;
  /** AES-256 for {@link seal} and {@link unseal} alone: it wraps no keys, because wrapping is how keys are read out. Throws `hsm/key-exists`. */
  generateSealingKey(label: string): Promise<void>;
  /** AES-256-GCM with a fresh nonce of the token. */
  seal(label: string, clear: { readonly plaintext: Uint8Array; readonly aad: Uint8Array }): Promise<SealedBytes>;
  /**
   * Writes the plaintext into `into`, which has exactly its length and must stay accessible until the promise settles. Where it fails,
   * `into` is zeros. Throws `hsm/tampered-envelope` where key, nonce, ciphertext or additional data do not belong together.
   */
  unseal(label: string, sealed: SealedBytes & { readonly aad: Uint8Array; readonly into: Uint8Array }): Promise<void>;
  /** From the token's own generator. */
  random(byteLength: number): Promise<Uint8Array>;
  /** Value of a private data object; undefined where there is none. Always read from the token. */
  readData(label: string): Promise<Uint8Array | undefined>;
  /** Writes the whole value, and makes the object when there is none. Not atomic against loss of power: see `head.ts`. */
  writeData(label: string, bytes: Uint8Array): Promise<void>;
  /** Of the private or secret key. */
  attributes(label: string): Promise<KeyAttributes>;
  /** Removes the key pair, key or data of this label. A wallet's key is gone for ever. */
  destroy(label: string): Promise<void>;
  /** Whether the token gives out the value of a private or secret key. It never may. What it gives is overwritten unseen. */
  revealsValue(label: string): Promise<boolean>;
  describe(): Promise<TokenDescription>;
  health(): Promise<SlotHealth>;
}

/** Sessions of one process with one token. More do not make a token faster (8 were the best of 1 to 16), and network modules count them. */
export const tokenSessionsMax: number = 8;

/** What fits into the memory of a session beside its structures: longest message and data, in bytes. */
export const messageBytesMax: number = frameBytes - 16_384;
/** Longest text that is sealed at once, with what it is bound to, in bytes. */
export const sealedBytesMax: number = 8_192;
const tagBytes = 16;
const ivBytes = 12;

const kinds: { readonly secp256k1: KeyPairKind; readonly ed25519: KeyPairKind } = {
  secp256k1: { mechanism: ckm.EC_KEY_PAIR_GEN, keyType: ckk.EC, curve: curves.secp256k1 },
  ed25519: { mechanism: ckm.EC_EDWARDS_KEY_PAIR_GEN, keyType: ckk.EC_EDWARDS, curve: curves.ed25519 },
};

/**
 * Opens a token and logs in.
 *
 * @throws CustodyError `hsm/unavailable`, `hsm/pin-refused`, `hsm/session-limit`, `config/invalid`, `key/native-module-missing`
 */
export async function openToken(options: TokenOptions): Promise<Token> {
  const sessionsMax = options.sessionsMax ?? tokenSessionsMax;
  invariant(
    Number.isInteger(sessionsMax) && sessionsMax >= 1 && sessionsMax <= tokenSessionsMax,
    `A token is used with 1 to ${tokenSessionsMax} sessions, not ${sessionsMax}.`,
  );
  const slot = createSlot({
    library: options.library,
    label: options.label,
    pin: options.pin,
    environment: options.environment ?? {},
    sessionsMax,
    timeoutMs: options.timeoutMs ?? callTimeoutMs,
  });
  try {
    // Nothing but the login: a wrong PIN or a missing token is said now, not at the first signature.
    await slot.run(() => Promise.resolve());
  } catch (error) {
    await slot.close();
    throw error;
  }
  return tokenOn(slot);
}

function tokenOn(slot: Slot): Token {
  const directory = createDirectory(slot.label);
  const place = { slot, directory };
  return {
    label: slot.label,
    async signEcdsa(label, digest) {
      assertDigest(digest);
      return await sign(place, label, { mechanism: ckm.ECDSA, message: digest });
    },
    signEddsa: (label, message) => sign(place, label, { mechanism: ckm.EDDSA, message }),
    publicKey: (label) =>
      slot.run(async (desk) => await pointOf(desk, await directory.need(desk, cko.PUBLIC_KEY, label))),
    generateSecp256k1: (label) => generatePair(place, label, kinds.secp256k1),
    generateEd25519: (label) => generatePair(place, label, kinds.ed25519),
    generateSealingKey: (label) => generateSealing(place, label),
    seal: (label, clear) => seal(place, label, clear),
    unseal: (label, sealed) => unseal(place, label, sealed),
    random: (byteLength) => slot.run((desk) => random(desk, byteLength)),
    readData: (label) => slot.run((desk) => readDataObject(desk, directory, label)),
    writeData: (label, bytes) => slot.run((desk) => writeDataObject(desk, directory, { label, bytes })),
    attributes: (label) => slot.run(async (desk) => await readAttributes(desk, await keyOf(desk, directory, label))),
    destroy: (label) => destroy(place, label),
    revealsValue: (label) => slot.run(async (desk) => await reveals(desk, await keyOf(desk, directory, label))),
    describe: () => slot.run((desk) => describeToken(desk, slot)),
    health: () => health(slot),
    [Symbol.asyncDispose]: () => slot.close(),
  };
}

type Place = { readonly slot: Slot; readonly directory: Directory };

async function sign(
  { slot, directory }: Place,
  label: string,
  task: { readonly mechanism: number; readonly message: Uint8Array },
): Promise<Uint8Array> {
  invariant(
    task.message.length <= messageBytesMax,
    `A message of ${task.message.length} bytes is too long for a token.`,
  );
  return await slot.run(async (desk) => {
    const { session } = desk;
    const handle = await directory.need(desk, cko.PRIVATE_KEY, label);
    const message = session.frame.place(task.message);
    const signature = session.frame.reserve(64);
    const length = session.frame.reserve(ulongBytes);
    length.bytes.writeBigUInt64LE(64n);
    await session.call('C_SignInit', [writeMechanism(session.frame, task.mechanism), handle]);
    await session.call('C_Sign', [message.address, BigInt(task.message.length), signature.address, length.address]);
    return Uint8Array.from(signature.bytes);
  });
}

async function generatePair({ slot, directory }: Place, label: string, kind: KeyPairKind): Promise<Uint8Array> {
  return await slot.run(async (desk) => {
    await assertFree(desk, directory, label);
    const { session } = desk;
    const { publicKey, privateKey } = await makeKeyPair(desk, label, kind);
    try {
      assertResident(await readAttributes(desk, privateKey), label);
      const point = await pointOf(desk, publicKey);
      // Found by its label from now on, and missed when the token is away.
      await directory.need(desk, cko.PRIVATE_KEY, label);
      return point;
    } catch (error) {
      // A key that is not what was asked for must not be there under its name.
      await session.ask('C_DestroyObject', [privateKey]);
      await session.ask('C_DestroyObject', [publicKey]);
      throw error;
    }
  }, 'once');
}

async function generateSealing({ slot, directory }: Place, label: string): Promise<void> {
  await slot.run(async (desk) => {
    await assertFree(desk, directory, label);
    const handle = await makeSealingKey(desk, label);
    try {
      assertResident(await readAttributes(desk, handle), label);
      await directory.need(desk, cko.SECRET_KEY, label);
    } catch (error) {
      await desk.session.ask('C_DestroyObject', [handle]);
      throw error;
    }
  }, 'once');
}

async function seal(
  { slot, directory }: Place,
  label: string,
  { plaintext, aad }: { readonly plaintext: Uint8Array; readonly aad: Uint8Array },
): Promise<SealedBytes> {
  assertSealable(plaintext.length + aad.length);
  return await slot.run(async (desk) => {
    const { frame, call } = desk.session;
    const handle = await directory.need(desk, cko.SECRET_KEY, label);
    const iv = frame.place(await random(desk, ivBytes));
    const parameter = writeGcmParameters(frame, { iv, aad: frame.place(aad), tagBits: tagBytes * 8 });
    const clear = frame.place(plaintext);
    const sealed = frame.reserve(plaintext.length + tagBytes);
    const length = frame.reserve(ulongBytes);
    length.bytes.writeBigUInt64LE(BigInt(sealed.bytes.length));
    await call('C_EncryptInit', [writeMechanism(frame, ckm.AES_GCM, parameter), handle]);
    await call('C_Encrypt', [clear.address, BigInt(plaintext.length), sealed.address, length.address]);
    // Read back: a module may have put a nonce of its own in place of ours.
    return { iv: Uint8Array.from(iv.bytes), ciphertext: Uint8Array.from(sealed.bytes) };
  });
}

const decryptionFailures: ReadonlySet<number> = new Set([
  ckr.GENERAL_ERROR,
  ckr.FUNCTION_FAILED,
  ckr.DATA_INVALID,
  ckr.ENCRYPTED_DATA_INVALID,
  ckr.ENCRYPTED_DATA_LEN_RANGE,
  ckr.AEAD_DECRYPT_FAILED,
]);

async function unseal(
  { slot, directory }: Place,
  label: string,
  sealed: SealedBytes & { readonly aad: Uint8Array; readonly into: Uint8Array },
): Promise<void> {
  const { ciphertext, into } = sealed;
  invariant(into.length === ciphertext.length - tagBytes, 'The place for a plaintext has not its length.');
  assertSealable(ciphertext.length + sealed.aad.length);
  into.fill(0);
  const result = await slot.run(async (desk) => {
    const { frame, call, ask } = desk.session;
    const handle = await directory.need(desk, cko.SECRET_KEY, label);
    const aad = frame.place(sealed.aad);
    const parameter = writeGcmParameters(frame, { iv: frame.place(sealed.iv), aad, tagBits: tagBytes * 8 });
    const closed = frame.place(ciphertext);
    const clear = frame.reserve(ciphertext.length);
    const length = frame.reserve(ulongBytes);
    length.bytes.writeBigUInt64LE(BigInt(ciphertext.length));
    await call('C_DecryptInit', [writeMechanism(frame, ckm.AES_GCM, parameter), handle]);
    const answer = await ask('C_Decrypt', [closed.address, BigInt(ciphertext.length), clear.address, length.address]);
    if (decryptionFailures.has(answer)) return answer;
    accept('C_Decrypt', answer);
    into.set(clear.bytes.subarray(0, into.length));
    return answer;
  });
  if (result === ckr.OK) return;
  // Modules say the same of a wrong tag and of a token that is away; where the key is still found, it was the tag.
  await slot.run((desk) => directory.look(desk, cko.SECRET_KEY, label));
  throw new CustodyError(
    'hsm/tampered-envelope',
    `The token "${slot.label}" cannot open what is said to be sealed under "${label}": the bytes, what they are bound to, or the key differ. Restore the envelope from its copy, or use the one of the other slot.`,
    { details: { token: slot.label, label } },
  );
}

async function random({ session }: Desk, byteLength: number): Promise<Uint8Array> {
  const { address, bytes } = session.frame.reserve(byteLength);
  await session.call('C_GenerateRandom', [address, BigInt(byteLength)]);
  return Uint8Array.from(bytes);
}

async function destroy({ slot, directory }: Place, label: string): Promise<void> {
  await slot.run(async (desk) => {
    let destroyed = 0;
    for (const kind of Object.values(cko)) {
      const handle = await directory.look(desk, kind, label);
      if (handle === undefined) continue;
      await desk.session.call('C_DestroyObject', [handle]);
      directory.forget(label);
      destroyed += 1;
    }
    if (destroyed === 0) await directory.need(desk, cko.PRIVATE_KEY, label);
  }, 'once');
}

async function health(slot: Slot): Promise<SlotHealth> {
  try {
    await slot.run((desk) => random(desk, 16));
    const info = slot.info();
    const detail = `${info?.manufacturer ?? ''} ${info?.model ?? ''}, serial ${info?.serial ?? ''}, ${slot.sessions()} sessions open`;
    return { name: slot.label, healthy: true, detail: detail.trim() };
  } catch (error) {
    const detail = error instanceof CustodyError ? `${error.code}: ${error.message}` : String(error);
    return { name: slot.label, healthy: false, detail };
  }
}

async function reveals({ session }: Desk, handle: bigint): Promise<boolean> {
  const value = reserveAttributes(session.frame, [[cka.VALUE, 128]]);
  const result = await session.ask('C_GetAttributeValue', [handle, value.address, value.count]);
  const bytes = value.read(0);
  bytes?.fill(0);
  return result === ckr.OK && bytes !== undefined && bytes.length > 0;
}

async function keyOf(desk: Desk, directory: Directory, label: string): Promise<bigint> {
  return (await directory.find(desk, cko.SECRET_KEY, label)) ?? (await directory.need(desk, cko.PRIVATE_KEY, label));
}

async function pointOf({ session }: Desk, handle: bigint): Promise<Uint8Array> {
  const { frame, call } = session;
  const read = reserveAttributes(frame, [
    [cka.KEY_TYPE, ulongBytes],
    [cka.EC_POINT, pointAttributeBytesMax],
  ]);
  await call('C_GetAttributeValue', [handle, read.address, read.count]);
  const edwards = read.read(0)?.readBigUInt64LE() === BigInt(ckk.EC_EDWARDS);
  const point = read.read(1) ?? new Uint8Array();
  return edwards ? readEd25519Point(point) : readSecp256k1Point(point);
}

async function assertFree(desk: Desk, directory: Directory, label: string): Promise<void> {
  for (const kind of Object.values(cko)) {
    if ((await directory.look(desk, kind, label)) === undefined) continue;
    throw new CustodyError(
      'hsm/key-exists',
      `The token already has an object with the label "${label}", and nothing in a token is replaced. Choose another label.`,
      { details: { label } },
    );
  }
}

function assertSealable(byteLength: number): void {
  invariant(byteLength <= sealedBytesMax, `${byteLength} bytes are more than is sealed at once (${sealedBytesMax}).`);
}
