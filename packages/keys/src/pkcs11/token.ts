import type { SlotHealth } from '../driver.ts';

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
};

/** What AES-GCM made: the nonce (12 bytes) and the ciphertext with its tag of 16 bytes at the end. */
export type SealedBytes = { readonly iv: Uint8Array; readonly ciphertext: Uint8Array };

/** Attributes of a key as the token states them. */
export type KeyAttributes = {
  readonly sensitive: boolean;
  readonly alwaysSensitive: boolean;
  readonly extractable: boolean;
  readonly neverExtractable: boolean;
  /** Made in the token, not brought into it. */
  readonly local: boolean;
  readonly wraps: boolean;
  readonly unwraps: boolean;
};

/**
 * A token of a hardware module, logged in. Keys and data are found by their label, which must be the only one of its kind; handles are
 * kept and found again after the module was away.
 *
 * Throws `hsm/unavailable`, `hsm/pin-refused`, `hsm/session-limit`, `hsm/operation-active`, `hsm/key-missing`, `hsm/refused`.
 */
export interface Token extends AsyncDisposable {
  readonly label: string;
  readonly serial: string;
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
  unseal(
    label: string,
    sealed: SealedBytes & { readonly aad: Uint8Array; readonly into: Uint8Array },
  ): Promise<void>;
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
  health(): Promise<SlotHealth>;
}

/** Sessions of one process with one token. More do not make a token faster (8 were the best of 1 to 16), and network modules count them. */
export const tokenSessionsMax: number = 8;
