export { backOffMsMax, backOffMsMin, SignerClient, type SignerClientOptions } from './client.ts';
export { connectMsMax } from './connection.ts';
export { type ClientCredentials, type Endpoint, keyDigest, parseEndpoint } from './endpoint.ts';
export { createFrameReader, type FrameReader, frameOf, lengthBytes } from './frame.ts';
export { verifyCheckpoint, verifyControl, verifyLogKey } from './proof-verification.ts';
export {
  answerBytesMax,
  type Calls,
  frameBytesMax,
  frameBytesOrdinary,
  isMethod,
  type Method,
  openingBytes,
  outstandingMax,
  protocolVersion,
  recordsMax,
  requestBytesAllowed,
  requestIdLengthMax,
  requestMsMax,
} from './protocol.ts';
export { stragglersMsMax } from './signer-answers.ts';
export { type QuorumSigner, SignerQuorum, type SignerQuorumOptions, type SignerStanding } from './signer-quorum.ts';
export { type CertifiedVault, verifyForwarder, verifyVault } from './vault-verification.ts';
export {
  type Pinned,
  verifyAccount,
  verifyDepositAddress,
  verifyRecord,
  verifyStatement,
  verifyWallet,
} from './verification.ts';
export {
  type AnswerFrame,
  answerText,
  decodeAnswer,
  decodeParams,
  encodeAnswer,
  encodeParams,
  type Fault,
  readAnswer,
  readRequest,
  type RequestFrame,
  requestText,
} from './wire.ts';
