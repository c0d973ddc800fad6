export { addressOf, exampleTerms, wordOfByte } from './example.ts';
export {
  type AccountKey,
  accountKey,
  chain,
  hashes,
  passkey,
  type Sent,
  setTerms,
  type SoftwareKey,
  startVaultChain,
  type VaultChain,
} from './vault-chain.ts';
export { client, deadline, destination, digestOf, exitKey, mint, termsOf, vaultEventsOf } from './vault-terms.ts';
