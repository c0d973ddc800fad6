import type { Address } from '@bulkhead/domain';
import {
  addressCodec,
  booleanCodec,
  bytesCodec,
  type Codec,
  listOf,
  named,
  struct,
  unsigned,
  wordHexCodec,
} from './codec.ts';
import { only, type QuestionForm, questionForm } from './contract-call.ts';
import { type VaultConfig, vaultConfigCodec } from './vault-config.ts';
import type { VaultSide } from './vault-message.ts';
import type { Hex } from './word.ts';

/** The state of a limit: its cap, what left since the window began, and whether a cap was ever written. */
export type LimitWindow = {
  readonly cap: bigint;
  readonly spent: bigint;
  readonly since: bigint;
  readonly written: boolean;
};

/** What stands between a signature and a payment; times, or 0. */
export type Gate = {
  readonly exitReadyAt: bigint;
  readonly quorumPauseUntil: bigint;
  readonly clientPauseUntil: bigint;
};

/** Keys and exit destination in force. */
export type Roles = { readonly clientKey: Hex; readonly exitKey: Hex; readonly exitDestination: Address };

export type SignerSetVersion = {
  readonly number: bigint;
  readonly members: readonly Address[];
  readonly threshold: bigint;
};

/** What the destination of a removed address holds: later than any time. */
export const removedDestination: bigint = 2n ** 64n - 1n;

type ByToken = { readonly token: Address };
type None = Readonly<Record<never, never>>;

const time = unsigned(40);
const number = unsigned(256);
const windowCodec: Codec<LimitWindow> = struct('', {
  cap: unsigned(104),
  spent: unsigned(104),
  since: time,
  written: booleanCodec,
});

/** Questions to a vault. */
export const vaultQuestions: {
  readonly nonceUsed: QuestionForm<{ readonly side: VaultSide; readonly nonce: bigint }, boolean>;
  readonly destinations: QuestionForm<{ readonly to: Address }, bigint>;
  readonly limits: QuestionForm<ByToken, LimitWindow>;
  readonly unlistedLimits: QuestionForm<ByToken, LimitWindow>;
  readonly feeClocks: QuestionForm<ByToken, bigint>;
  readonly queued: QuestionForm<{ readonly change: Hex }, bigint>;
  readonly loweredAt: QuestionForm<{ readonly token: Address; readonly unlisted: boolean }, bigint>;
  readonly gate: QuestionForm<None, Gate>;
  readonly roles: QuestionForm<{ readonly config: VaultConfig }, Roles>;
} = {
  nonceUsed: questionForm(
    'nonceUsed',
    { side: named({ quorum: 0n, client: 1n, exit: 2n }), nonce: number },
    only(booleanCodec),
  ),
  destinations: questionForm('destinations', { to: addressCodec }, only(unsigned(64))),
  limits: questionForm('limits', { token: addressCodec }, windowCodec),
  unlistedLimits: questionForm('unlistedLimits', { token: addressCodec }, windowCodec),
  feeClocks: questionForm('feeClocks', { token: addressCodec }, only(time)),
  queued: questionForm('queued', { change: wordHexCodec }, only(time)),
  loweredAt: questionForm('loweredAt', { token: addressCodec, unlisted: booleanCodec }, only(time)),
  gate: questionForm('gate', {}, struct('', { exitReadyAt: time, quorumPauseUntil: time, clientPauseUntil: time })),
  roles: questionForm(
    'roles',
    { config: vaultConfigCodec },
    struct('', { clientKey: wordHexCodec, exitKey: wordHexCodec, exitDestination: addressCodec }),
  ),
};

/** Questions to a signer set. */
export const signerSetQuestions: {
  readonly current: QuestionForm<None, SignerSetVersion>;
  readonly versionAt: QuestionForm<
    { readonly number: bigint },
    { readonly activeFrom: bigint; readonly members: readonly Address[]; readonly threshold: bigint }
  >;
  readonly newestNumber: QuestionForm<None, bigint>;
  readonly lastHeartbeat: QuestionForm<None, bigint>;
  readonly lastHeartbeatBlock: QuestionForm<None, bigint>;
  readonly changeDelay: QuestionForm<None, bigint>;
  readonly isQuorum: QuestionForm<{ readonly digest: Hex; readonly signatures: Hex }, boolean>;
} = {
  current: questionForm('current', {}, struct('', { number, members: listOf(addressCodec), threshold: unsigned(8) })),
  versionAt: questionForm(
    'versionAt',
    { number },
    struct('', { activeFrom: number, members: listOf(addressCodec), threshold: unsigned(8) }),
  ),
  newestNumber: questionForm('newestNumber', {}, only(number)),
  lastHeartbeat: questionForm('lastHeartbeat', {}, only(unsigned(64))),
  lastHeartbeatBlock: questionForm('lastHeartbeatBlock', {}, only(unsigned(64))),
  changeDelay: questionForm('changeDelay', {}, only(number)),
  isQuorum: questionForm('isQuorum', { digest: wordHexCodec, signatures: bytesCodec }, only(booleanCodec)),
};

/** Questions to the factory. */
export const factoryQuestions: {
  readonly vaultAddress: QuestionForm<{ readonly configHash: Hex }, Address>;
  readonly forwarderAddress: QuestionForm<{ readonly vault: Address; readonly salt: Hex }, Address>;
  readonly vaultImplementation: QuestionForm<None, Address>;
  readonly forwarderImplementation: QuestionForm<None, Address>;
} = {
  vaultAddress: questionForm('vaultAddress', { configHash: wordHexCodec }, only(addressCodec)),
  forwarderAddress: questionForm('forwarderAddress', { vault: addressCodec, salt: wordHexCodec }, only(addressCodec)),
  vaultImplementation: questionForm('vaultImplementation', {}, only(addressCodec)),
  forwarderImplementation: questionForm('forwarderImplementation', {}, only(addressCodec)),
};
