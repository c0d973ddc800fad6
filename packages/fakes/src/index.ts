export { type SoftwareKey, softwareKey } from './client-key.ts';
export { ManualClock } from './clock.ts';
export { chainContract, type ChainBench } from './chain-contract.ts';
export { DelegateProgram, fakeDelegateCode } from './delegate-program.ts';
export { nativeGas, tokenGas } from './execution.ts';
export { FakeChain, type FakeChainOptions, lagBlocks } from './fake-chain.ts';
export { type BroadcastFault, type Chaos, FaultPlan, type PortFault, type PortMethod } from './fault-plan.ts';
export {
  baseFeeDefault,
  faucet,
  finalLagDefault,
  Ground,
  type GroundBlock,
  type MineOptions,
  payer,
  type ReorgOptions,
} from './ground.ts';
export { addressOfKey, addressOfPath, fakeDerive, fakeXpub, namedAddress, signAs } from './key.ts';
export type { Program, ProgramCall, ProgramEffect, ProgramState } from './program.ts';
export { Outside, type OutsidePayment, type Theft } from './outside.ts';
export { fakeProofRegistryCode, fakeProofSettings, ProofProgram } from './proof-program.ts';
export { fakeCustodian, fakeLogOrigin, FakeProofQuorum, fakeProofRegistry, fakeVerifyLogKey } from './proof-quorum.ts';
export { type Random, seededRandom } from './random.ts';
export { FakeScreening } from './screening.ts';
export {
  fakeApproval,
  type FakeRefusal,
  type FakeRules,
  FakeSigner,
  fakeVerifyAccount,
  fakeVerifyDepositAddress,
  fakeVerifyWallet,
} from './signer.ts';
export { fakeDeployment, FakeSignerLog, fakeStatement, fakeVerifyRecord, foreignIdentity } from './signer-log.ts';
export { type Payout } from './transaction.ts';
export { FakeQuorum, fakeVerifyForwarder, fakeVerifyVault } from './vault-quorum.ts';
export {
  fakeKeccak,
  fakeMembers,
  fakeSetChangeDelay,
  fakeThreshold,
  fakeVaultSystem,
  memberSignature,
  quorumSignature,
  VaultProgram,
} from './vault-program.ts';
