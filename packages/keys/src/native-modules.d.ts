/** The part we use of packages that come without types. */

declare module 'sodium-native' {
  type Sodium = {
    /** Memory between guard pages, locked into RAM and left out of core files. */
    sodium_malloc(byteLength: number): Buffer;
    /** Wipes, unlocks and detaches. */
    sodium_free(memory: Buffer): void;
    sodium_mlock(memory: Uint8Array): void;
    sodium_memzero(memory: Uint8Array): void;
    sodium_mprotect_noaccess(memory: Buffer): void;
    sodium_mprotect_readonly(memory: Buffer): void;
    sodium_mprotect_readwrite(memory: Buffer): void;
    crypto_hash_sha256(out: Uint8Array, input: Uint8Array): void;
    crypto_hash_sha512(out: Uint8Array, input: Uint8Array): void;
    crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
    crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
    crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
    extension_pbkdf2_sha512(
      out: Uint8Array,
      password: Uint8Array,
      salt: Uint8Array,
      iterations: number,
      outLength: number,
    ): void;
  };
  const sodium: Sodium;
  export default sodium;
}

/** The native half alone: the package's main entrance falls back to JavaScript without a word. */
declare module 'secp256k1/bindings.js' {
  type Secp256k1 = {
    privateKeyVerify(key: Uint8Array): boolean;
    /** In place. Throws where the sum is no private key. */
    privateKeyTweakAdd(key: Uint8Array, tweak: Uint8Array): Uint8Array;
    publicKeyCreate(key: Uint8Array, compressed: boolean, out?: Uint8Array): Uint8Array;
    publicKeyConvert(key: Uint8Array, compressed: boolean): Uint8Array;
    publicKeyTweakAdd(key: Uint8Array, tweak: Uint8Array, compressed: boolean): Uint8Array;
    /** In place. */
    signatureNormalize(signature: Uint8Array): Uint8Array;
    ecdsaSign(digest: Uint8Array, key: Uint8Array): { readonly signature: Uint8Array; readonly recid: number };
    ecdsaRecover(signature: Uint8Array, recovery: number, digest: Uint8Array, compressed: boolean): Uint8Array;
  };
  const secp256k1: Secp256k1;
  export default secp256k1;
}

declare module 'keccak/bindings.js' {
  type State = {
    initialize(rateBits: number, capacityBits: number): void;
    absorb(bytes: Buffer): void;
    squeeze(byteLength: number): Buffer;
  };
  type Hash = { update(bytes: Buffer): Hash; digest(): Buffer; readonly _state: State };
  function createKeccak(algorithm: 'keccak256'): Hash;
  export default createKeccak;
}

declare module 'slip39' {
  type Options = {
    readonly passphrase?: string;
    readonly threshold?: number;
    readonly groups?: readonly (readonly [threshold: number, count: number, title?: string])[];
    readonly iterationExponent?: number;
    readonly extendableBackupFlag?: 0 | 1;
    readonly title?: string;
  };
  class Slip39 {
    /** An array, not bytes: the package concatenates. */
    static fromArray(secret: readonly number[], options?: Options): Slip39;
    static recoverSecret(mnemonics: readonly string[], passphrase?: string): number[];
    static validateMnemonic(mnemonic: string): boolean;
    fromPath(path: string): { readonly mnemonics: readonly string[] };
  }
  export default Slip39;
}

declare module 'slip39/src/slip39_helper.js' {
  const parts: { readonly WORD_LIST: readonly string[] };
  export default parts;
}
