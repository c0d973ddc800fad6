export { type BlockHasher, fastBlockHasher, portableBlockHasher } from './block-hasher.ts';
export { type BookTree } from './book-tree.ts';
export { type Claim, type ClaimKind, depthFor, depthMax, holderBytesMax } from './claim.ts';
export { type OwnClaim, type Pin } from './client-package.ts';
export { type EpochSecrets, epochSecrets } from './epoch-secrets.ts';
export {
  contextOf,
  decodeHeader,
  encodeHeader,
  followsHeader,
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
