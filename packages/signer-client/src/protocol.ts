import type {
  AddressClaim,
  Approval,
  CertifiedAccount,
  CertifiedLogKey,
  CertifiedWallet,
  CheckpointGrant,
  CheckpointSignRequest,
  Compartment,
  ControlGrant,
  ControlSignRequest,
  DecisionRecord,
  Evidence,
  ForwarderClaim,
  Granted,
  Intent,
  KeyLabel,
  Outlook,
  RegistryChange,
  ReserveSignRequest,
  SignedStatement,
  SignerStatus,
  SignRequest,
  VaultClaim,
  VaultGrant,
  VaultSignRequest,
} from '@bulkhead/domain';

/** Version of the frames and of all methods together. Another version is refused, never guessed at. */
export const protocolVersion = 1;

type Nothing = Readonly<Record<string, never>>;

/** What each method of the ports `Signer`, `VaultSigner` and `ProofSigner` takes and gives, as one object each. */
export type Calls = {
  readonly status: { readonly params: Nothing; readonly answer: SignerStatus };
  readonly account: { readonly params: { readonly compartment: Compartment }; readonly answer: CertifiedAccount };
  readonly wallet: { readonly params: { readonly key: KeyLabel }; readonly answer: CertifiedWallet };
  readonly certifyAddress: { readonly params: { readonly claim: AddressClaim }; readonly answer: SignedStatement };
  readonly outlook: {
    readonly params: { readonly intent: Intent; readonly evidence: Evidence };
    readonly answer: Outlook;
  };
  readonly lodge: {
    readonly params: { readonly intent: Intent; readonly approval: Approval };
    readonly answer: { readonly person: string };
  };
  readonly sign: { readonly params: SignRequest; readonly answer: Granted };
  readonly signVault: { readonly params: VaultSignRequest; readonly answer: VaultGrant };
  readonly certifyVault: { readonly params: { readonly claim: VaultClaim }; readonly answer: SignedStatement };
  readonly certifyForwarder: { readonly params: { readonly claim: ForwarderClaim }; readonly answer: SignedStatement };
  readonly signReserves: { readonly params: ReserveSignRequest; readonly answer: VaultGrant };
  readonly signControl: { readonly params: ControlSignRequest; readonly answer: ControlGrant };
  readonly signCheckpoint: { readonly params: CheckpointSignRequest; readonly answer: CheckpointGrant };
  readonly logKey: { readonly params: Nothing; readonly answer: CertifiedLogKey };
  readonly change: {
    readonly params: RegistryChange;
    readonly answer: { readonly version: bigint; readonly record: DecisionRecord };
  };
  readonly records: {
    readonly params: { readonly after: bigint; readonly limit: number };
    readonly answer: readonly DecisionRecord[];
  };
};

export type Method = keyof Calls;

const kibibyte = 1_024;
const mebibyte = 1_024 * kibibyte;

/** Most bytes of any frame that does not say at its beginning that it is a longer kind. */
export const frameBytesOrdinary: number = 256 * kibibyte;

/**
 * Most bytes of a request frame after its length. Only a change of the registry is long: it carries its whole list.
 */
export const frameBytesMax: Readonly<Record<Method, number>> = {
  status: frameBytesOrdinary,
  account: frameBytesOrdinary,
  wallet: frameBytesOrdinary,
  certifyAddress: frameBytesOrdinary,
  outlook: frameBytesOrdinary,
  lodge: frameBytesOrdinary,
  sign: frameBytesOrdinary,
  signVault: frameBytesOrdinary,
  certifyVault: frameBytesOrdinary,
  certifyForwarder: frameBytesOrdinary,
  signReserves: frameBytesOrdinary,
  signControl: frameBytesOrdinary,
  signCheckpoint: frameBytesOrdinary,
  logKey: frameBytesOrdinary,
  change: 16 * mebibyte,
  records: frameBytesOrdinary,
};

/**
 * Most bytes of an answer frame after its length. The record of a change quotes its list inside a text inside a text, and each
 * step puts an escape before each quotation mark.
 */
export const answerBytesMax: Readonly<Record<Method, number>> = {
  ...frameBytesMax,
  change: 64 * mebibyte,
  records: 64 * mebibyte,
};

/** Characters of a request's id: lower-case letters, digits and hyphens that the client chooses. */
export const requestIdLengthMax = 32;

/** Longest beginning of a frame that has to be seen before a long one is let in. */
export const openingBytes = 128;

/** How long a request may take before its client gives up, and the signer says that it did. */
export const requestMsMax = 30_000;

/** Requests of one client that wait for an answer at the same time. */
export const outstandingMax = 512;

/** Records in one answer. */
export const recordsMax = 1_000;

const methods: ReadonlySet<string> = new Set(Object.keys(frameBytesMax));

export function isMethod(text: string): text is Method {
  return methods.has(text);
}

/**
 * How long a request frame may be that begins like this. The members of a frame stand in one order, so that the length is
 * known to be right before memory is spent on it.
 */
export function requestBytesAllowed(opening: string): number {
  const method = /^\{"v":1,"id":"[0-9a-z-]{1,32}","method":"([A-Za-z]{1,20})",/u.exec(opening)?.[1];
  return method !== undefined && isMethod(method) ? frameBytesMax[method] : frameBytesOrdinary;
}

/** The id of the request that an answer frame with this beginning belongs to. */
export function answeredId(opening: string): string | undefined {
  return /^\{"v":1,"id":"([0-9a-z-]{1,32})",/u.exec(opening)?.[1];
}
