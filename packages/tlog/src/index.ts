export { base64, parseBase64 } from './base64.ts';
export {
  type Checkpoint,
  checkpointText,
  openCheckpoint,
  originLengthMax,
  parseCheckpointText,
  type VerifiedCheckpoint,
} from './checkpoint.ts';
export { encodeBundle, entryLengthMax, parseBundle } from './entry-bundle.ts';
export {
  commitmentOf,
  contentLengthMax,
  encodeLeaf,
  type FactKind,
  factIdLengthMax,
  factKinds,
  isFactKind,
  type Leaf,
  type Opening,
  opens,
  parseLeaf,
  saltLength,
} from './log-leaf.ts';
export { type CompleteNode, emptyFrontier, extend, type Frontier, peakCount, rootOf } from './merkle-frontier.ts';
export { emptyRoot, hashLength, isTreeSize, leafHash, nodeHash, type Sha256, treeSizeMax } from './merkle-hash.ts';
export {
  consistencyProof,
  frontierAt,
  inclusionProof,
  type ReadNode,
  rootAt,
  type TreeHead,
  verifyConsistency,
  verifyInclusion,
} from './merkle-proof.ts';
export {
  openReceipt,
  parseReceipt,
  pathLengthMax,
  type ProvenFact,
  type Receipt,
  type ReceiptJson,
  receiptJson,
  receiptOf,
} from './receipt.ts';
export {
  cosignatureBytes,
  cosignatureLength,
  cosignedMessage,
  formatNoteSignature,
  formatSignedNote,
  noteLengthMax,
  type NoteSignature,
  noteSignaturesMax,
  parseNoteSignature,
  parseSignedNote,
  signatureLength,
  type SignedNote,
  type VerifiedSignature,
  type VerifyEd25519,
  verifySignedNote,
} from './signed-note.ts';
export { nodesOfTiles, parseTilePath, type Tile, tilePath, tilesBetween, tileWidthAt, tileWidthMax } from './tile.ts';
export {
  formatVerifierKey,
  isKeyName,
  keyNameLengthMax,
  type KeyPurpose,
  parseVerifierKey,
  publicKeyLength,
  sameVerifierKey,
  type VerifierKey,
  verifierKey,
} from './verifier-key.ts';
export { decideWitness, type WitnessDecision } from './witness-decision.ts';
export { formatWitnessRequest, parseWitnessRequest, requestProofMax, type WitnessRequest } from './witness-request.ts';
