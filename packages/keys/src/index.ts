export { accountNodeCountMax, addressIndexMax, deriveAddress } from './derivation.ts';
export {
  createKeyFile,
  type KeyFileOptions,
  passphraseLengthMin,
  type ScryptCost,
  scryptCostDefault,
  scryptMemoryBytesMax,
} from './key-file.ts';
export { entropyBytesAllowed, entropyBytesDefault, entropyOfMnemonic, mnemonicOfEntropy } from './mnemonic.ts';
export { openSoftwareSigner, type SoftwareSigner, type SoftwareSignerOptions } from './software-signer.ts';
