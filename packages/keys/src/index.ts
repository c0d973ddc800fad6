export { addressIndexMax } from './address-index.ts';
export { accountNodeCountMax, addressOfPublicKey, deriveAddress, hasAddress } from './derivation.ts';
export type { HeadStore, IdentityKey, KeyDriver, RememberedHead, SlotHealth } from './driver.ts';
export { headFileBytesMax, openHeadFile } from './head-file.ts';
export { identityLabel, openSoftwareIdentity } from './identity.ts';
export {
  createKeyFile,
  type KeyFileOptions,
  openKeyFile,
  type Passphrase,
  passphraseLengthMin,
  type ScryptCost,
  scryptCostDefault,
  scryptMemoryBytesMax,
} from './key-file.ts';
export { createSecret, type Secret, secretBytesMax, secretOf } from './memory.ts';
export {
  entropyBytesAllowed,
  entropyBytesDefault,
  entropyOfMnemonic,
  mnemonicOfEntropy,
  seedBytes,
  seedOfEntropy,
} from './mnemonic.ts';
export { nativeKeccak256 } from './keccak.ts';
export { type NativeModules, nativeModules } from './native.ts';
export { assertDigest, checkedSignature, digestBytes, isEd25519Signature } from './signature.ts';
export { openSoftwareKeys, type SoftwareKeys } from './software-driver.ts';
export { type KeyTree, masterFingerprint, openTree } from './tree.ts';
export {
  openSealedSeed,
  type SealedSeedDriver,
  type SealedSeedOptions,
  seedIdleMsDefault,
} from './sealed-seed-driver.ts';
export {
  type Envelope,
  envelopeAad,
  parseSealedSeed,
  type SealedSeedFile,
  sealedSeedFileBytesMax,
  sealTagBytes,
  type SlotName,
  slotNames,
} from './sealed-seed-file.ts';
export {
  type DrillResult,
  drillSlot,
  readSealedSeed,
  rotateSlot,
  type SealingToken,
  type SealingTokens,
  sealSeed,
  unsealEntropy,
} from './sealed-seed.ts';
export { assertReadBack, combineShares, shareCountMax, type ShareFacts, shareFacts, splitEntropy } from './shares.ts';
export { headLabel, tokenHeadStore } from './pkcs11/head.ts';
export {
  createTokenIdentity,
  identityLabel as tokenIdentityLabel,
  logLabel as tokenLogLabel,
  openTokenIdentity,
} from './pkcs11/identity.ts';
export { openPkcs11Keys, type Pkcs11KeyDriver, walletKeyLabel } from './pkcs11/key-driver.ts';
export { openToken, type PinSource, type Token, type TokenOptions, tokenSessionsMax } from './pkcs11/token.ts';
export { importLunaSeed, lunaEvidence, type LunaDriver, type LunaOptions, openLunaKeys } from './luna/driver.ts';
export { kmsAlias, kmsEvidence, type KmsKeyDriver, type KmsOptions, openKmsKeys } from './kms/driver.ts';
export { type DoctorSubject, examine } from './doctor.ts';
export type { DoctorRow } from './doctor-row.ts';
export type { TokenDescription } from './pkcs11/mechanism.ts';
