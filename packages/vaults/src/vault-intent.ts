import {
  type Address,
  type AssetId,
  type ChainId,
  chainOf,
  contractOf,
  CustodyError,
  membersOf,
  type VaultIntent,
} from '@bulkhead/domain';
import type { Keccak, StructCodec } from './codec.ts';
import { callData } from './contract-call.ts';
import { nativeToken } from './initial-policy.ts';
import { heartbeatDomain, heartbeatForm, setChangeDomain, setChangeForm } from './signer-set-message.ts';
import { typedPreimage, type TypedDomain } from './typed-data.ts';
import { type VaultCall, vaultCalls } from './vault-call.ts';
import type { VaultConfig } from './vault-config.ts';
import { vaultDomain, vaultForms, type VaultMessages } from './vault-message.ts';
import type { Hex } from './word.ts';

type OfVault = Extract<VaultIntent, { readonly vault: Address }>;

/** A message of a vault, by its name. */
export type IntentMessage = {
  readonly [K in keyof VaultMessages]: { readonly name: K; readonly message: VaultMessages[K] };
}[keyof VaultMessages];

/** Those of them that the quorum signs, as an intent about a vault becomes one. */
export type QuorumMessage = Extract<
  IntentMessage,
  {
    readonly name:
      | 'withdrawal'
      | 'oneOff'
      | 'fee'
      | 'invalidation'
      | 'pause'
      | 'limitLowering'
      | 'destinationRemoval'
      | 'keyRotation';
  }
>;

/** The message of an intent about a vault. The intent says more than the chain is told: who, why, and until when to sign. */
export function vaultIntentMessage(intent: OfVault): QuorumMessage {
  const bounds = { nonce: intent.vaultNonce, deadline: intent.deadline };
  switch (intent.kind) {
    case 'vault-withdrawal': {
      const { asset, to, amount, authorisation } = intent;
      const message = { token: vaultToken(asset), to, amount, ...bounds };
      return authorisation === 'one-off' ? { name: 'oneOff', message } : { name: 'withdrawal', message };
    }
    case 'vault-fee':
      return { name: 'fee', message: { token: vaultToken(intent.asset), amount: intent.amount, ...bounds } };
    case 'vault-invalidation':
      return { name: 'invalidation', message: bounds };
    case 'vault-pause':
      return { name: 'pause', message: { side: 'quorum', ...bounds } };
    case 'vault-limit-lowering': {
      const change = { token: vaultToken(intent.asset), cap: intent.cap, unlisted: intent.window === 'unlisted' };
      return { name: 'limitLowering', message: { side: 'quorum', ...change, ...bounds } };
    }
    case 'vault-destination-removal':
      return { name: 'destinationRemoval', message: { side: 'quorum', to: intent.to, ...bounds } };
    case 'vault-key-recovery': {
      const { role, newKey } = intent;
      return { name: 'keyRotation', message: { side: 'quorum', role, newKey: `0x${newKey}`, ...bounds } };
    }
  }
}

/** How a vault calls an asset: by the contract of a token, and the native coin by the zero address. */
export function vaultToken(asset: AssetId): Address {
  return contractOf(asset) ?? nativeToken;
}

/** The bytes whose Keccak-256 each member of the set of signers signs. */
export function vaultIntentPreimage(hashes: Keccak, intent: VaultIntent): Uint8Array {
  switch (intent.kind) {
    case 'signer-set-change': {
      const { signerSet, number, threshold } = intent;
      const message = { number, members: membersOf(intent), threshold };
      return typedPreimage(hashes, setChangeDomain(signerSet), { form: setChangeForm, message });
    }
    case 'signer-set-heartbeat': {
      const { chain, signerSet, blockNumber } = intent;
      const blockHash: Hex = `0x${intent.blockHash}`;
      const message = { blockNumber, blockHash, statement: `0x${intent.statement}` as const };
      return typedPreimage(hashes, heartbeatDomain(chain, signerSet), { form: heartbeatForm, message });
    }
    case 'vault-withdrawal':
    case 'vault-fee':
    case 'vault-invalidation':
    case 'vault-pause':
    case 'vault-limit-lowering':
    case 'vault-destination-removal':
    case 'vault-key-recovery':
      return messagePreimage(hashes, vaultDomain(chainOfVault(intent), intent.vault), vaultIntentMessage(intent));
  }
}

/** Keccak-256 of {@link vaultIntentPreimage}: what a contract checks the signatures of a quorum against. */
export function vaultIntentDigest(hashes: Keccak, intent: VaultIntent): Uint8Array {
  return hashes.keccak256(vaultIntentPreimage(hashes, intent));
}

/** The preimage of a message of a vault, whoever signs it. */
export function messagePreimage(hashes: Keccak, domain: TypedDomain, signed: IntentMessage): Uint8Array {
  const form: StructCodec<unknown> = vaultForms[signed.name];
  return typedPreimage(hashes, domain, { form, message: signed.message });
}

/** The message in a call that somebody has signed, by its name; undefined where the call needs no signature. */
export function vaultCallMessage(asked: VaultCall): IntentMessage | undefined {
  switch (asked.call) {
    case 'pay':
      return { name: 'withdrawal', message: asked.arguments.message };
    case 'payBatch':
      return { name: 'withdrawalBatch', message: asked.arguments.message };
    case 'payOnce':
      return { name: 'oneOff', message: asked.arguments.message };
    case 'collectFee':
      return { name: 'fee', message: asked.arguments.message };
    case 'invalidate':
      return { name: 'invalidation', message: asked.arguments.message };
    case 'addDestination':
      return { name: 'destinationAddition', message: asked.arguments.message };
    case 'removeDestination':
      return { name: 'destinationRemoval', message: asked.arguments.message };
    case 'queueLimitRaise':
      return { name: 'limitRaise', message: asked.arguments.message };
    case 'lowerLimit':
      return { name: 'limitLowering', message: asked.arguments.message };
    case 'queueExitDestination':
      return { name: 'exitDestinationChange', message: asked.arguments.message };
    case 'queueKeyRotation':
      return { name: 'keyRotation', message: asked.arguments.message };
    case 'veto':
      return { name: 'veto', message: asked.arguments.message };
    case 'pause':
      return { name: 'pause', message: asked.arguments.message };
    case 'requestExit':
      return { name: 'exitRequest', message: asked.arguments.message };
    case 'cancelExit':
      return { name: 'exitCancellation', message: asked.arguments.message };
    case 'openPolicy':
    case 'executeLimitRaise':
    case 'executeExitDestination':
    case 'executeKeyRotation':
    case 'openExit':
    case 'exit':
      return undefined;
  }
}

/** What goes into a call beside the message of its intent. `clientSignature` is for a one-off payment alone. */
export type IntentCallParts = {
  readonly config: VaultConfig;
  readonly signatures: Hex;
  readonly clientSignature?: Hex;
};

/**
 * The call that carries what the quorum signed for an intent about a vault.
 *
 * @throws CustodyError `vault/signature` for a one-off payment without the client's signature
 */
export function vaultIntentCall(hashes: Keccak, intent: OfVault, parts: IntentCallParts): Hex {
  const { config, signatures, clientSignature } = parts;
  const signed = vaultIntentMessage(intent);
  const bySide = { config, signature: signatures };
  switch (signed.name) {
    case 'withdrawal':
      return callData(hashes, vaultCalls.pay, { config, message: signed.message, signatures });
    case 'oneOff':
      if (clientSignature === undefined) {
        throw new CustodyError(
          'vault/signature',
          `Intent ${intent.id} is a one-off payment: the client's key signs it, too. Have the client sign.`,
        );
      }
      return callData(hashes, vaultCalls.payOnce, { config, message: signed.message, signatures, clientSignature });
    case 'fee':
      return callData(hashes, vaultCalls.collectFee, { config, message: signed.message, signatures });
    case 'invalidation':
      return callData(hashes, vaultCalls.invalidate, { config, message: signed.message, signatures });
    case 'pause':
      return callData(hashes, vaultCalls.pause, { ...bySide, message: signed.message });
    case 'limitLowering':
      return callData(hashes, vaultCalls.lowerLimit, { ...bySide, message: signed.message });
    case 'destinationRemoval':
      return callData(hashes, vaultCalls.removeDestination, { ...bySide, message: signed.message });
    case 'keyRotation':
      return callData(hashes, vaultCalls.queueKeyRotation, { ...bySide, message: signed.message });
  }
}

function chainOfVault(intent: OfVault): ChainId {
  return 'chain' in intent ? intent.chain : chainOf(intent.asset);
}
