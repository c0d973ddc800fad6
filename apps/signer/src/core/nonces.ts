import { type Address, type ChainId, CustodyError } from '@bulkhead/domain';

/** One place in the order of a wallet's transactions. */
export type NoncePlace = { readonly chain: ChainId; readonly from: Address; readonly nonce: bigint };

/** An intent that wants a place. `digest` is absent for one that is only known as the target of a cancellation. */
export type NonceClaim = { readonly intent: string; readonly digest: string; readonly place: NoncePlace };

/** Of a cancellation: whose place it takes. */
export type CancelClaim = NonceClaim & { readonly cancels: string };

/**
 * Which intent has which nonce. The first grant binds, for ever: one intent has one effect because it has one nonce, and one nonce
 * has one intent.
 */
export type Nonces = {
  /** @throws CustodyError `signer/intent-spent`, `signer/nonce-taken` */
  assertFree(claim: NonceClaim | CancelClaim): void;
  bind(claim: NonceClaim | CancelClaim): void;
  /** Whether an intent has a nonce, its own or one that a cancellation took for it. */
  isBound(intent: string): boolean;
  /** Whether another content was granted under this id. */
  assertSame(intent: string, digest: string): void;
};

export function openNonces(): Nonces {
  const digests = new Map<string, string>();
  const places = new Map<string, string>();
  const owners = new Map<string, string>();

  const assertSame = (intent: string, digest: string): void => {
    const known = digests.get(intent);
    if (known === undefined || known === digest) return;
    throw spent(intent, `with the digest ${known}, and this one is ${digest}`);
  };

  return {
    assertSame,
    assertFree(claim) {
      const { intent, digest, place } = claim;
      assertSame(intent, digest);
      const owner = ownerOf(claim);
      const wanted = placeText(place);
      const bound = places.get(owner);
      if (bound !== undefined && bound !== wanted) {
        throw spent(owner, `for ${bound}, and this transaction is for ${wanted}: a replacement has the same nonce`);
      }
      const taken = owners.get(wanted);
      if (taken !== undefined && taken !== owner) {
        throw new CustodyError(
          'signer/nonce-taken',
          `Nonce ${place.nonce} of ${place.from} on ${place.chain} belongs to intent ${taken}, and this is ${owner}. One nonce serves one intent for ever: build the transaction with the next free one.`,
          { details: { nonce: String(place.nonce), intent: taken } },
        );
      }
    },
    isBound: (intent) => places.has(intent),
    bind(claim) {
      const owner = ownerOf(claim);
      const place = placeText(claim.place);
      digests.set(claim.intent, claim.digest);
      places.set(owner, place);
      owners.set(place, owner);
    },
  };
}

/** A cancellation has the place of the intent it cancels, and none of its own. */
function ownerOf(claim: NonceClaim | CancelClaim): string {
  return 'cancels' in claim ? claim.cancels : claim.intent;
}

function placeText({ chain, from, nonce }: NoncePlace): string {
  return `nonce ${nonce} of ${from} on ${chain}`;
}

function spent(intent: string, fact: string): CustodyError {
  return new CustodyError(
    'signer/intent-spent',
    `Intent ${intent} was granted before ${fact}. One intent has one effect: ask for a new one.`,
    { details: { intent } },
  );
}
