import type { Address } from './address.ts';
import { type AssetId, type ChainId } from './asset.ts';
import type { Compartment } from './compartment.ts';
import {
  addressField,
  amountField,
  type Asked,
  assetField,
  chainField,
  compartmentField,
  digestDigits,
  type Effect,
  effectFields,
  effectOf,
  field,
  type Fields,
  type FieldValues,
  hexField,
  idField,
  longField,
  malformed,
  moving,
  type Reading,
  unknownKind,
  wordField,
} from './intent-field.ts';

/**
 * What lets a payment out of a vault, as the vault itself asks: the destination is one the client agreed to, the window of an
 * omnibus vault for others has room, or the client's own key signs beside the quorum.
 */
export type VaultAuthorisation = 'listed' | 'unlisted' | 'one-off';

/** Whose key of a vault is replaced. */
export type VaultKeyRole = 'client' | 'exit';

/** What every signature of the quorum over one vault has. */
type OfVault = {
  readonly client: string;
  readonly vault: Address;
  /** Taken by what is signed, for ever: at most one intent ever has an effect with it. */
  readonly vaultNonce: bigint;
  /** Unix seconds, as the chain counts them: the vault takes nothing later. */
  readonly deadline: bigint;
};

type VaultEffect = Effect & OfVault;

/** About a vault, and moving nothing. */
type VaultMatter = Asked & OfVault & { readonly chain: ChainId; readonly compartment: Compartment };

/**
 * What the keys of a set of signers sign, as a closed union: never a transaction, always typed data of one contract.
 * - `vault-withdrawal`: assets leave a client's vault; approved by a quorum of people;
 * - `vault-fee`: the agreed fee goes to the receiver that the vault's configuration names;
 * - `vault-invalidation`: takes the nonce of the intent `cancels`, and does nothing else;
 * - `vault-pause`, `vault-limit-lowering`, `vault-destination-removal`: the vault does less, at once;
 * - `vault-key-recovery`: a lost key of the client is replaced after the long delay, in which the client can veto;
 * - `signer-set-change`: other members of the set of signers, on every chain; by the root quorum;
 * - `signer-set-heartbeat`: the custodian is alive; people are not asked.
 */
export type VaultIntent =
  | (VaultEffect & {
      readonly kind: 'vault-withdrawal';
      readonly authorisation: VaultAuthorisation;
      /** Unix seconds. Nothing is signed afterwards. */
      readonly expiresAt: bigint;
    })
  | (VaultEffect & { readonly kind: 'vault-fee' })
  | (VaultMatter & { readonly kind: 'vault-invalidation'; readonly cancels: string })
  | (VaultMatter & { readonly kind: 'vault-pause'; readonly expiresAt: bigint })
  | (VaultMatter & {
      readonly kind: 'vault-limit-lowering';
      readonly asset: AssetId;
      /** Most that the window lets through from now on, in base units. */
      readonly cap: bigint;
      /** Which window: of listed destinations, or of all others. */
      readonly window: Exclude<VaultAuthorisation, 'one-off'>;
      readonly expiresAt: bigint;
    })
  | (VaultMatter & { readonly kind: 'vault-destination-removal'; readonly to: Address; readonly expiresAt: bigint })
  | (VaultMatter & {
      readonly kind: 'vault-key-recovery';
      readonly role: VaultKeyRole;
      /** Id of the new key, 64 lower-case hex digits. */
      readonly newKey: string;
      readonly expiresAt: bigint;
    })
  | (Asked & {
      readonly kind: 'signer-set-change';
      readonly signerSet: Address;
      /** One more than the newest change of the set. */
      readonly number: bigint;
      /** Addresses in ascending order, with commas between them. {@link membersOf} takes them apart. */
      readonly members: string;
      readonly threshold: bigint;
      readonly expiresAt: bigint;
    })
  | (Asked & {
      readonly kind: 'signer-set-heartbeat';
      readonly chain: ChainId;
      readonly signerSet: Address;
      readonly blockNumber: bigint;
      readonly blockHash: string;
      /** What is attested besides, or 64 zeros. */
      readonly statement: string;
    });

export type VaultIntentKind = VaultIntent['kind'];

export const vaultKinds: readonly VaultIntentKind[] = [
  'vault-withdrawal',
  'vault-fee',
  'vault-invalidation',
  'vault-pause',
  'vault-limit-lowering',
  'vault-destination-removal',
  'vault-key-recovery',
  'signer-set-change',
  'signer-set-heartbeat',
];

/** Members of a set of signers. */
export const setMembersMax: number = 32;

/** A cap fits the 104 bits that a vault keeps for it. */
const capBits = 104n;

/** The members that a change names, in their order. */
export function membersOf({ members }: { readonly members: string }): readonly Address[] {
  const addresses = members.split(',').map((text) => addressField(new Map([['members', text]]), 'members'));
  if (addresses.length > setMembersMax) {
    throw malformed(`${addresses.length} members are named, at most ${setMembersMax} are read.`);
  }
  if (addresses.some((address, at) => at > 0 && address <= (addresses[at - 1] ?? ''))) {
    throw malformed('The members of a set of signers are in ascending order, each once.');
  }
  if (addresses.join(',') !== members) throw malformed('The members of a set of signers are written in lower case.');
  return addresses;
}

export function vaultFields(intent: VaultIntent): FieldValues {
  switch (intent.kind) {
    case 'vault-withdrawal': {
      const { authorisation, expiresAt } = intent;
      return { ...effectFields(intent), ...ofVaultFields(intent), authorisation, expiresAt };
    }
    case 'vault-fee':
      return { ...effectFields(intent), ...ofVaultFields(intent) };
    case 'vault-invalidation':
      return { ...matterFields(intent), cancels: intent.cancels };
    case 'vault-pause':
      return { ...matterFields(intent), expiresAt: intent.expiresAt };
    case 'vault-limit-lowering': {
      const { asset, cap, window, expiresAt } = intent;
      return { ...matterFields(intent), asset, cap, window, expiresAt };
    }
    case 'vault-destination-removal':
      return { ...matterFields(intent), to: intent.to, expiresAt: intent.expiresAt };
    case 'vault-key-recovery':
      return { ...matterFields(intent), role: intent.role, newKey: intent.newKey, expiresAt: intent.expiresAt };
    case 'signer-set-change': {
      const { signerSet, number, members, threshold, expiresAt } = intent;
      return { signerSet, number, members, threshold, expiresAt };
    }
    case 'signer-set-heartbeat': {
      const { chain, signerSet, blockNumber, blockHash, statement } = intent;
      return { chain, signerSet, blockNumber, blockHash, statement };
    }
    default: {
      const other: { readonly kind?: unknown } = intent satisfies never;
      throw unknownKind(String(other.kind));
    }
  }
}

function ofVaultFields({ client, vault, vaultNonce, deadline }: OfVault): FieldValues {
  return { client, vault, vaultNonce, deadline };
}

function matterFields(matter: VaultMatter): FieldValues {
  return { ...ofVaultFields(matter), chain: matter.chain, compartment: matter.compartment };
}

function ofVaultOf(fields: Fields): OfVault {
  return {
    client: idField(fields, 'client'),
    vault: addressField(fields, 'vault'),
    vaultNonce: amountField(fields, 'vaultNonce'),
    deadline: longField(fields, 'deadline'),
  };
}

function matterOf(fields: Fields, asked: Asked): VaultMatter {
  const chain = chainField(fields, 'chain');
  return { ...asked, ...ofVaultOf(fields), chain, compartment: compartmentField(fields, 'compartment') };
}

export function vaultOf(fields: Fields, { asked, kind }: Reading): VaultIntent {
  switch (kind) {
    case 'vault-withdrawal':
      return {
        ...moving(effectOf(fields, asked)),
        ...ofVaultOf(fields),
        kind,
        authorisation: wordField(fields, 'authorisation', ['listed', 'unlisted', 'one-off']),
        expiresAt: longField(fields, 'expiresAt'),
      };
    case 'vault-fee':
      // The first one of a token moves nothing: it starts the clock by which the next is counted.
      return { ...effectOf(fields, asked), ...ofVaultOf(fields), kind };
    case 'vault-invalidation':
      return { ...matterOf(fields, asked), kind, cancels: idField(fields, 'cancels') };
    case 'signer-set-heartbeat':
      return {
        ...asked,
        kind,
        chain: chainField(fields, 'chain'),
        signerSet: addressField(fields, 'signerSet'),
        blockNumber: longField(fields, 'blockNumber'),
        blockHash: hexField(fields, 'blockHash', digestDigits),
        statement: hexField(fields, 'statement', digestDigits),
      };
    default:
      return decidedOf(fields, { asked, kind });
  }
}

/** What people decide without moving anything: it expires. */
function decidedOf(fields: Fields, { asked, kind }: Reading): VaultIntent {
  switch (kind) {
    case 'vault-pause':
      return { ...matterOf(fields, asked), kind, expiresAt: longField(fields, 'expiresAt') };
    case 'vault-limit-lowering':
      return {
        ...matterOf(fields, asked),
        kind,
        asset: assetField(fields, 'asset'),
        cap: capField(fields),
        window: wordField(fields, 'window', ['listed', 'unlisted']),
        expiresAt: longField(fields, 'expiresAt'),
      };
    case 'vault-destination-removal': {
      const to = addressField(fields, 'to');
      return { ...matterOf(fields, asked), kind, to, expiresAt: longField(fields, 'expiresAt') };
    }
    case 'vault-key-recovery':
      return {
        ...matterOf(fields, asked),
        kind,
        role: wordField(fields, 'role', ['client', 'exit']),
        newKey: hexField(fields, 'newKey', digestDigits),
        expiresAt: longField(fields, 'expiresAt'),
      };
    case 'signer-set-change':
      return setChangeOf(fields, asked);
    default:
      throw unknownKind(kind);
  }
}

function setChangeOf(fields: Fields, asked: Asked): VaultIntent {
  const members = field(fields, 'members');
  const count = membersOf({ members }).length;
  const threshold = longField(fields, 'threshold');
  if (threshold < 1n || threshold > BigInt(count)) {
    throw malformed(`A threshold of ${threshold} suits no set of ${count} members.`);
  }
  return {
    ...asked,
    kind: 'signer-set-change',
    signerSet: addressField(fields, 'signerSet'),
    number: longField(fields, 'number'),
    members,
    threshold,
    expiresAt: longField(fields, 'expiresAt'),
  };
}

function capField(fields: Fields): bigint {
  const cap = amountField(fields, 'cap');
  if (cap >= 2n ** capBits) throw malformed(`"cap" is ${cap}, above the ${capBits} bits it has.`);
  return cap;
}
