export * from './client-key.ts';
export { type Keccak, type TypedField, type TypedValue } from './codec.ts';
export { callData, type CallForm, type ContractCall, answerOf, type QuestionForm } from './contract-call.ts';
export { isBuiltFrom } from './contract-code.ts';
export * from './initial-policy.ts';
export * from './proof-message.ts';
export * from './proof-registry.ts';
export {
  parseProofRegistryEvent,
  proofEventTopic,
  type ProofRegistryEvent,
  type ProofRegistryEventFields,
} from './proof-registry-event.ts';
export * from './signer-set-message.ts';
export * from './typed-data.ts';
export * from './vault-address.ts';
export * from './vault-agreement.ts';
export * from './vault-call.ts';
export * from './vault-config.ts';
export {
  type ContractLog,
  eventTopic,
  type FactoryEvent,
  type FactoryEventFields,
  parseFactoryEvent,
  parseSignerSetEvent,
  parseVaultEvent,
  type PaymentAuthority,
  type SignerSetEvent,
  type SignerSetEventFields,
  type VaultEvent,
  type VaultEventFields,
} from './vault-event.ts';
export * from './vault-history.ts';
export {
  type IntentCallParts,
  type IntentMessage,
  messagePreimage,
  type QuorumMessage,
  vaultCallMessage,
  vaultIntentCall,
  vaultIntentDigest,
  vaultIntentMessage,
  vaultIntentPreimage,
  vaultToken,
} from './vault-intent.ts';
export * from './vault-message.ts';
export { ruleOnCall } from './vault-model.ts';
export { feeMax, feeSecondsMax, isRefusal } from './vault-policy.ts';
export * from './vault-question.ts';
export { parseVaultRefusal, type VaultRefusal, type VaultRefusalFields } from './vault-refusal.ts';
export {
  newVaultState,
  type Surroundings,
  type VaultState,
  type VaultStep,
  windowOf,
  exitDestinationInForce,
} from './vault-state.ts';
export * from './vault-storage.ts';
export * from './word.ts';
