export { type BlockHasher, fastBlockHasher, portableBlockHasher } from './block-hasher.ts';
export { type BookTree } from './book-tree.ts';
export { type Claim, type ClaimKind, depthFor, depthMax, holderBytesMax } from './claim.ts';
export { type OwnClaim, type PackageClaim, type Pin, readPackage } from './client-package.ts';
export { type EpochSecrets, epochSecrets } from './epoch-secrets.ts';
export {
  contextOf,
  decodeHeader,
  encodeHeader,
  followsHeader,
  headerLength,
  liabilityUnits,
  type ReserveHeader,
  reserveUnits,
  type Tier,
  unitExponentMax,
} from './header.ts';
export {
  makePlainBook,
  type PlainBook,
  type PlainFinding,
  plainPackage,
  type PlainRow,
  type PublishedPlainRow,
  verifyPlainPackage,
  verifyPlainPublication,
} from './plain-proof.ts';
export { type CompartmentClaims, type EpochWork, makeSumTree, type SumTree } from './sum-tree.ts';
export { type Refutation, refutations, type Verdict } from './verdict.ts';
export { type CommitmentTree, type ConfidentialWork, makeCommitmentTree, type Opening } from './commitment-tree.ts';
export {
  type ConfidentialBook,
  type ConfidentialFinding,
  confidentialLeaves,
  confidentialPackage,
  type ConfidentialRow,
  confidentialSummary,
  leafTasks,
  makeConfidentialBook,
  solvencyTasks,
  verifyConfidentialPackage,
} from './confidential-proof.ts';
export {
  type SummaryFinding,
  verifyConfidentialLeaves,
  verifyConfidentialSummary,
  verifyCoverage,
  verifyTotal,
} from './confidential-verifier.ts';
export { fastGroup, type Group, portableGroup } from './fast-group.ts';
export { type CoverageRatio, type ProofTask, proveTask } from './proof-task.ts';
export { type ArtefactName, isArtefact } from './artefact.ts';
export {
  balanceStatement,
  openStatement,
  readStatement,
  readStatementsFile,
  type SignedStatements,
  type StatementFinding,
  statementsFile,
} from './balance-statement.ts';
export {
  certificateDigest,
  certificatesFile,
  readCertificatesFile,
  type SignedCertificate,
} from './certificate-list.ts';
export {
  fileDigest,
  type Manifest,
  manifestDigest,
  manifestName,
  manifestText,
  neededFiles,
  type ProofFile,
  proofFiles,
  readManifest,
} from './manifest.ts';
export {
  confidentialSegregation,
  plainSegregation,
  readSegregation,
  segregationDepthMax,
  type SegregationFinding,
  type SegregationParts,
  verifySegregation,
} from './segregation-proof.ts';
export { makeStatementTree, type StatementTree } from './statement-tree.ts';
export { type CompartmentWallets, vaultConfigBytes, type Wallet, type WalletControl } from './wallet-list.ts';
export { type BalanceMapping, balanceSlot, formatBalanceMapping, parseBalanceMapping } from './balance-place.ts';
export { type BalancePlace, readWalletsFile, type WalletsFile, walletsFile } from './wallets-file.ts';
