import type { Address } from '@bulkhead/domain';
import { addressCodec, bytesCodec, type Keccak, listOf, wordHexCodec } from './codec.ts';
import { callForm, type CallForm, firstOf } from './contract-call.ts';
import { type InitialPolicy, initialPolicyCodec } from './initial-policy.ts';
import { type Heartbeat, heartbeatForm, type SetChange, setChangeForm } from './signer-set-message.ts';
import { type VaultConfig, vaultConfigCodec } from './vault-config.ts';
import { vaultForms, type VaultMessages } from './vault-message.ts';
import { bytesOf, type Hex, malformed } from './word.ts';

type Configured = { readonly config: VaultConfig };

/** A message that the quorum signed: 65 bytes of each of its signers, ascending. */
type ByQuorum<M> = Configured & { readonly message: M; readonly signatures: Hex };

/** A message that one side signed: the quorum as above, a client's key as `ClientKey.sol` reads it. */
type BySide<M> = Configured & { readonly message: M; readonly signature: Hex };

type Executed<M> = Configured & { readonly message: M };

/** Arguments of each function of a vault that changes something. */
export type VaultCallArguments = {
  readonly pay: ByQuorum<VaultMessages['withdrawal']>;
  readonly payBatch: ByQuorum<VaultMessages['withdrawalBatch']>;
  readonly payOnce: ByQuorum<VaultMessages['oneOff']> & { readonly clientSignature: Hex };
  readonly collectFee: ByQuorum<VaultMessages['fee']>;
  readonly invalidate: ByQuorum<VaultMessages['invalidation']>;
  readonly openPolicy: Configured & { readonly policy: InitialPolicy };
  readonly addDestination: BySide<VaultMessages['destinationAddition']>;
  readonly removeDestination: BySide<VaultMessages['destinationRemoval']>;
  readonly queueLimitRaise: BySide<VaultMessages['limitRaise']>;
  readonly executeLimitRaise: Executed<VaultMessages['limitRaise']>;
  readonly lowerLimit: BySide<VaultMessages['limitLowering']>;
  readonly queueExitDestination: BySide<VaultMessages['exitDestinationChange']>;
  readonly executeExitDestination: Executed<VaultMessages['exitDestinationChange']>;
  readonly queueKeyRotation: BySide<VaultMessages['keyRotation']>;
  readonly executeKeyRotation: Executed<VaultMessages['keyRotation']>;
  readonly veto: BySide<VaultMessages['veto']>;
  readonly pause: BySide<VaultMessages['pause']>;
  readonly requestExit: BySide<VaultMessages['exitRequest']>;
  readonly cancelExit: BySide<VaultMessages['exitCancellation']>;
  readonly openExit: Configured;
  readonly exit: Configured & { readonly token: Address };
};

/** Arguments of each function of the factory. None needs an authority. */
export type FactoryCallArguments = {
  readonly create: Configured;
  readonly createMany: { readonly configs: readonly VaultConfig[] };
  readonly createAndCall: Configured & { readonly calls: readonly Hex[] };
  readonly createForwarder: { readonly vault: Address; readonly salt: Hex };
  readonly flush: { readonly vault: Address; readonly salts: readonly Hex[]; readonly token: Address };
};

export type SignerSetCallArguments = {
  readonly changeSet: {
    readonly change: SetChange;
    readonly quorumSignatures: Hex;
    readonly memberSignatures: Hex;
  };
  readonly heartbeat: { readonly beat: Heartbeat; readonly signatures: Hex };
};

type Forms<A> = { readonly [K in keyof A & string]: CallForm<K, A[K]> };

const config = vaultConfigCodec;
const signature = bytesCodec;
const signatures = bytesCodec;

export const vaultCalls: Forms<VaultCallArguments> = {
  pay: callForm('pay', { config, message: vaultForms.withdrawal, signatures }),
  payBatch: callForm('payBatch', { config, message: vaultForms.withdrawalBatch, signatures }),
  payOnce: callForm('payOnce', { config, message: vaultForms.oneOff, signatures, clientSignature: bytesCodec }),
  collectFee: callForm('collectFee', { config, message: vaultForms.fee, signatures }),
  invalidate: callForm('invalidate', { config, message: vaultForms.invalidation, signatures }),
  openPolicy: callForm('openPolicy', { config, policy: initialPolicyCodec }),
  addDestination: callForm('addDestination', { config, message: vaultForms.destinationAddition, signature }),
  removeDestination: callForm('removeDestination', { config, message: vaultForms.destinationRemoval, signature }),
  queueLimitRaise: callForm('queueLimitRaise', { config, message: vaultForms.limitRaise, signature }),
  executeLimitRaise: callForm('executeLimitRaise', { config, message: vaultForms.limitRaise }),
  lowerLimit: callForm('lowerLimit', { config, message: vaultForms.limitLowering, signature }),
  queueExitDestination: callForm('queueExitDestination', {
    config,
    message: vaultForms.exitDestinationChange,
    signature,
  }),
  executeExitDestination: callForm('executeExitDestination', { config, message: vaultForms.exitDestinationChange }),
  queueKeyRotation: callForm('queueKeyRotation', { config, message: vaultForms.keyRotation, signature }),
  executeKeyRotation: callForm('executeKeyRotation', { config, message: vaultForms.keyRotation }),
  veto: callForm('veto', { config, message: vaultForms.veto, signature }),
  pause: callForm('pause', { config, message: vaultForms.pause, signature }),
  requestExit: callForm('requestExit', { config, message: vaultForms.exitRequest, signature }),
  cancelExit: callForm('cancelExit', { config, message: vaultForms.exitCancellation, signature }),
  openExit: callForm('openExit', { config }),
  exit: callForm('exit', { config, token: addressCodec }),
};

export const factoryCalls: Forms<FactoryCallArguments> = {
  create: callForm('create', { config }),
  createMany: callForm('createMany', { configs: listOf(vaultConfigCodec) }),
  createAndCall: callForm('createAndCall', { config, calls: listOf(bytesCodec) }),
  createForwarder: callForm('createForwarder', { vault: addressCodec, salt: wordHexCodec }),
  flush: callForm('flush', { vault: addressCodec, salts: listOf(wordHexCodec), token: addressCodec }),
};

export const signerSetCalls: Forms<SignerSetCallArguments> = {
  changeSet: callForm('changeSet', {
    change: setChangeForm,
    quorumSignatures: bytesCodec,
    memberSignatures: bytesCodec,
  }),
  heartbeat: callForm('heartbeat', { beat: heartbeatForm, signatures }),
};

/** Sends what lies at a forwarder to its vault. */
export const forwarderFlush: CallForm<
  'flush',
  { readonly vault: Address; readonly salt: Hex; readonly token: Address }
> = callForm('flush', { vault: addressCodec, salt: wordHexCodec, token: addressCodec });

/** Sends what lies at an address that delegates to a `SweepDelegate` to the wallet of its compartment. */
export const delegateSweep: CallForm<'sweep', { readonly token: Address }> = callForm('sweep', { token: addressCodec });

export type VaultCall = Extract<ReturnType<(typeof vaultCalls)[keyof VaultCallArguments]['parse']>, object>;
export type FactoryCall = Extract<ReturnType<(typeof factoryCalls)[keyof FactoryCallArguments]['parse']>, object>;
export type SignerSetCall = Extract<ReturnType<(typeof signerSetCalls)[keyof SignerSetCallArguments]['parse']>, object>;

/** Reads call data for a vault. @throws CustodyError `vault/malformed` for what no function of it takes */
export function parseVaultCall(hashes: Keccak, data: Hex): VaultCall {
  const bytes = bytesOf(data);
  return known(
    firstOf(Object.values(vaultCalls), (form) => form.parse(hashes, bytes)),
    'a vault',
  );
}

/** Reads call data for the factory. @throws CustodyError `vault/malformed` */
export function parseFactoryCall(hashes: Keccak, data: Hex): FactoryCall {
  const bytes = bytesOf(data);
  return known(
    firstOf(Object.values(factoryCalls), (form) => form.parse(hashes, bytes)),
    'the factory',
  );
}

/** Reads call data for the signer set. @throws CustodyError `vault/malformed` */
export function parseSignerSetCall(hashes: Keccak, data: Hex): SignerSetCall {
  const bytes = bytesOf(data);
  return known(
    firstOf(Object.values(signerSetCalls), (form) => form.parse(hashes, bytes)),
    'the signer set',
  );
}

function known<C>(call: C | undefined, who: string): C {
  if (call === undefined) throw malformed(`${who} has no such function`);
  return call;
}
