import type { Address, AssetId } from '@bulkhead/domain';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import {
  addressCodec,
  booleanCodec,
  bytesCodec,
  type Codec,
  encodeAll,
  type Keccak,
  named,
  struct,
  textCodec,
  unsigned,
  wordHexCodec,
} from './codec.ts';
import { type CallForm, callForm, firstOf, only, type QuestionForm, questionForm } from './contract-call.ts';
import { bytesOf, type Hex, hexOf, malformed } from './word.ts';

/** What a registry of proofs is made with, for ever. Times in seconds. */
export type ProofRegistrySettings = {
  /** Whose quorum signs what it pins. */
  readonly signers: Address;
  /** Who this is, 32 bytes. */
  readonly custodian: Hex;
  /** Epochs in a window. */
  readonly window: bigint;
  /** Blocks from the end of a window to the block whose hash picks. */
  readonly drawDelay: bigint;
  /** From what a header was taken at until it has to be committed. */
  readonly commitWithin: bigint;
  /** Without a new epoch, after which an asset is stale. */
  readonly cadence: bigint;
  /** From the end of a window until its picked epoch has to be proven. */
  readonly proveWithin: bigint;
};

/** The fields of a header (spec/reserves.md) that the registry does not know by itself. */
export type CommittedHeader = {
  /** CAIP-19. */
  readonly asset: string;
  readonly epoch: bigint;
  readonly tier: 'plain' | 'confidential';
  readonly bits: bigint;
  readonly unitExponent: bigint;
  readonly blockNumber: bigint;
  readonly blockHash: Hex;
  readonly ledgerPosition: bigint;
  /** Unix seconds. */
  readonly takenAt: bigint;
};

/** What a registry has of an epoch; zeros where there is none. */
export type PinnedEpoch = {
  readonly context: Hex;
  readonly record: Hex;
  readonly reserves: bigint;
  readonly takenAt: bigint;
  /** 0 of one that lapsed. */
  readonly committedAt: bigint;
};

/** What a registry has of a window; zeros for what is not there yet. */
export type ProofWindow = {
  readonly endedAt: bigint;
  readonly challengeBlock: bigint;
  readonly drawn: bigint;
  readonly provenAt: bigint;
  readonly leastReserves: bigint;
  readonly proof: Hex;
};

type ByAsset = { readonly asset: Hex };
type None = Readonly<Record<never, never>>;

const long = unsigned(64);
const second = unsigned(32);
const byte = unsigned(8);
const number = unsigned(256);

const settingsCodec: Codec<ProofRegistrySettings> = struct('', {
  signers: addressCodec,
  custodian: wordHexCodec,
  window: second,
  drawDelay: second,
  commitWithin: second,
  cadence: second,
  proveWithin: second,
});

const headerCodec: Codec<CommittedHeader> = struct('', {
  asset: textCodec,
  epoch: long,
  tier: named({ plain: 1n, confidential: 2n }),
  bits: byte,
  unitExponent: byte,
  blockNumber: long,
  blockHash: wordHexCodec,
  ledgerPosition: long,
  takenAt: long,
});

const epochCodec: Codec<PinnedEpoch> = struct('', {
  context: wordHexCodec,
  record: wordHexCodec,
  reserves: unsigned(128),
  takenAt: long,
  committedAt: long,
});

const windowCodec: Codec<ProofWindow> = struct('', {
  endedAt: long,
  challengeBlock: long,
  drawn: long,
  provenAt: long,
  leastReserves: unsigned(128),
  proof: wordHexCodec,
});

/** Arguments of each call that changes a registry of proofs. */
export type ProofRegistryCallArguments = {
  readonly commit: {
    readonly header: CommittedHeader;
    readonly record: Hex;
    readonly reserves: bigint;
    readonly signatures: Hex;
  };
  /** That it was signed and not committed in time; with the same words. */
  readonly lapse: ProofRegistryCallArguments['commit'];
  readonly draw: ByAsset & { readonly number: bigint };
  readonly prove: ByAsset & { readonly number: bigint; readonly proof: Hex; readonly signatures: Hex };
};

const signedEpoch = {
  header: headerCodec,
  record: wordHexCodec,
  reserves: unsigned(128),
  signatures: bytesCodec,
};

export const proofRegistryCalls: {
  readonly [N in keyof ProofRegistryCallArguments]: CallForm<N, ProofRegistryCallArguments[N]>;
} = {
  commit: callForm('commit', signedEpoch),
  lapse: callForm('lapse', signedEpoch),
  draw: callForm('draw', { asset: wordHexCodec, number }),
  prove: callForm('prove', { asset: wordHexCodec, number, proof: wordHexCodec, signatures: bytesCodec }),
};

export type ProofRegistryCall = Extract<
  ReturnType<(typeof proofRegistryCalls)[keyof ProofRegistryCallArguments]['parse']>,
  object
>;

/** Reads call data for a registry of proofs. @throws CustodyError `vault/malformed` */
export function parseProofRegistryCall(hashes: Keccak, data: Hex): ProofRegistryCall {
  const bytes = bytesOf(data);
  const call = firstOf(Object.values(proofRegistryCalls), (form) => form.parse(hashes, bytes));
  if (call === undefined) throw malformed('a registry of proofs has no such function');
  return call;
}

/** Questions to a registry of proofs. */
export const proofRegistryQuestions: {
  readonly isFresh: QuestionForm<ByAsset, boolean>;
  readonly stateOf: QuestionForm<
    ByAsset,
    { readonly epoch: bigint; readonly proven: bigint; readonly unitExponent: bigint }
  >;
  readonly epochAt: QuestionForm<ByAsset & { readonly epoch: bigint }, PinnedEpoch>;
  readonly windowAt: QuestionForm<ByAsset & { readonly number: bigint }, ProofWindow>;
  readonly signers: QuestionForm<None, Address>;
  readonly custodian: QuestionForm<None, Hex>;
  readonly window: QuestionForm<None, bigint>;
  readonly drawDelay: QuestionForm<None, bigint>;
  readonly commitWithin: QuestionForm<None, bigint>;
  readonly cadence: QuestionForm<None, bigint>;
  readonly proveWithin: QuestionForm<None, bigint>;
} = {
  isFresh: questionForm('isFresh', { asset: wordHexCodec }, only(booleanCodec)),
  stateOf: questionForm(
    'stateOf',
    { asset: wordHexCodec },
    struct('', { epoch: long, proven: long, unitExponent: byte }),
  ),
  epochAt: questionForm('epochAt', { asset: wordHexCodec, epoch: number }, epochCodec),
  windowAt: questionForm('windowAt', { asset: wordHexCodec, number }, windowCodec),
  signers: questionForm('signers', {}, only(addressCodec)),
  custodian: questionForm('custodian', {}, only(wordHexCodec)),
  window: questionForm('window', {}, only(number)),
  drawDelay: questionForm('drawDelay', {}, only(number)),
  commitWithin: questionForm('commitWithin', {}, only(number)),
  cadence: questionForm('cadence', {}, only(number)),
  proveWithin: questionForm('proveWithin', {}, only(number)),
};

/** By what a registry knows an asset. */
export function assetWord({ keccak256 }: Keccak, asset: AssetId): Hex {
  return hexOf(keccak256(utf8ToBytes(asset)));
}

/** What the standard factory is given to make a registry of proofs. */
export function proofRegistryCreationCode(creationCode: Uint8Array, settings: ProofRegistrySettings): Uint8Array {
  return concatBytes(creationCode, encodeAll([[settingsCodec, settings]]));
}
