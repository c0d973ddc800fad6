import { type ChainId, CustodyError, type VaultIntent } from '@bulkhead/domain';
import { chainOf } from '@bulkhead/domain';

/** What an intent would take in a vault or a set of signers. */
export type VaultClaim = {
  readonly intent: VaultIntent;
  /** SHA-256 of the intent's canonical bytes, hex. */
  readonly digest: string;
  /** What the members sign, hex. */
  readonly signed: string;
};

export type Beat = { readonly at: bigint; readonly blockNumber: bigint };

/**
 * Which intent has which nonce of a vault, and which content which number of a set of signers: for ever, as with the nonces of
 * accounts. An invalidation has the nonce of the intent that it cancels.
 */
export type VaultGrants = {
  /** @throws CustodyError `signer/intent-spent`, `signer/nonce-taken` */
  assertFree(claim: VaultClaim): void;
  /** `at` in Unix seconds. */
  bind(claim: VaultClaim, at: bigint): void;
  /** What was signed under the id of an intent, hex. */
  digest(intent: string): string | undefined;
  /** Whether an intent has a nonce of a vault, its own or one that an invalidation took for it. */
  isBound(intent: string): boolean;
  /** The newest heartbeat on a chain. */
  heartbeat(chain: ChainId): Beat | undefined;
};

export function openVaultGrants(): VaultGrants {
  const digests = new Map<string, { readonly digest: string; readonly signed: string }>();
  const places = new Map<string, string>();
  const owners = new Map<string, string>();
  const beats = new Map<ChainId, Beat>();
  return {
    assertFree({ intent, digest, signed }) {
      const known = digests.get(intent.id);
      if (known !== undefined && known.digest !== digest) {
        throw spent(intent.id, `with the digest ${known.digest}, and this one is ${digest}`);
      }
      const place = placeOf(intent);
      if (place === undefined) return;
      const owner = ownerOf(intent, signed);
      const bound = places.get(owner);
      if (bound !== undefined && bound !== place) throw spent(owner, `for ${bound}, and this one is for ${place}`);
      const taken = owners.get(place);
      if (taken === undefined || taken === owner) return;
      throw new CustodyError(
        'signer/nonce-taken',
        `${place.charAt(0).toUpperCase()}${place.slice(1)} belongs to ${taken}, and this is ${owner}. It serves one for ever: ask with the next one.`,
        { details: { intent: taken } },
      );
    },
    bind({ intent, digest, signed }, at) {
      digests.set(intent.id, { digest, signed });
      if (intent.kind === 'signer-set-heartbeat') {
        const { blockNumber } = intent;
        const before = beats.get(intent.chain);
        if (before === undefined || blockNumber > before.blockNumber) beats.set(intent.chain, { at, blockNumber });
      }
      const place = placeOf(intent);
      if (place === undefined) return;
      const owner = ownerOf(intent, signed);
      places.set(owner, place);
      owners.set(place, owner);
    },
    digest: (intent) => digests.get(intent)?.signed,
    isBound: (intent) => places.has(intent),
    heartbeat: (chain) => beats.get(chain),
  };
}

function placeOf(intent: VaultIntent): string | undefined {
  if (intent.kind === 'signer-set-heartbeat') return undefined;
  if (intent.kind === 'signer-set-change') return `change ${intent.number} of the set of signers ${intent.signerSet}`;
  const chain = 'chain' in intent ? intent.chain : chainOf(intent.asset);
  return `nonce ${intent.vaultNonce} of the vault ${intent.vault} on ${chain}`;
}

/** Two changes with one number would be two histories of one set on two chains: what counts is what it says, whoever asks for it. */
function ownerOf(intent: VaultIntent, signed: string): string {
  if (intent.kind === 'signer-set-change') return `the change ${signed}`;
  return intent.kind === 'vault-invalidation' ? intent.cancels : intent.id;
}

function spent(intent: string, fact: string): CustodyError {
  return new CustodyError(
    'signer/intent-spent',
    `Intent ${intent} was granted before ${fact}. One intent has one effect: ask for a new one.`,
    { details: { intent } },
  );
}
