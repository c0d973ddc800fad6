import {
  type Address,
  type ChainId,
  CustodyError,
  parseAddress,
  parseAmount,
  parseChainId,
  type SignedAuthorization,
} from '@bulkhead/domain';
import { recoverSigner } from './key.ts';

const header = 'fake-authorization-v1';

/** What an address signs on the fake chain to take the code of a delegate: readable, and of one chain and nonce. */
export function encodeAuthorization(chain: ChainId, delegate: Address, nonce: bigint): Uint8Array {
  return new TextEncoder().encode(`${header} ${chain} ${delegate} ${nonce}`);
}

/** The inverse of {@link encodeAuthorization}; undefined for other bytes. */
export function readAuthorization(
  bytes: Uint8Array,
): { readonly chain: ChainId; readonly delegate: Address; readonly nonce: bigint } | undefined {
  const [name, chain, delegate, nonce, ...more] = new TextDecoder().decode(bytes).split(' ');
  if (name !== header || chain === undefined || delegate === undefined || nonce === undefined || more.length > 0) {
    return undefined;
  }
  return { chain: parseChainId(chain), delegate: parseAddress(delegate), nonce: parseAmount(nonce) };
}

/** Whose code it sets. */
export function authorityOf(chain: ChainId, { delegate, nonce, signature }: SignedAuthorization): Address {
  return recoverSigner(encodeAuthorization(chain, delegate, nonce), signature);
}

/** Authorisations in one field of a transaction; empty for none. */
export function writeAuthorizations(authorizations: readonly SignedAuthorization[]): string {
  return authorizations
    .map(({ delegate, nonce, signature: { r, s, yParity } }) => [delegate, nonce, r, s, yParity].join(' '))
    .join('\n');
}

/** @throws CustodyError `signer/malformed-transaction` */
export function readAuthorizations(text: string): readonly SignedAuthorization[] {
  if (text === '') return [];
  return text.split('\n').map((line) => {
    const [delegate, nonce, r, s, yParity] = line.split(' ');
    if (delegate === undefined || nonce === undefined || r === undefined || s === undefined || yParity === undefined) {
      throw new CustodyError('signer/malformed-transaction', `"${line}" is no authorisation of the fake chain.`);
    }
    const signature = { r: BigInt(r), s: BigInt(s), yParity: yParity === '1' ? (1 as const) : (0 as const) };
    return { delegate: parseAddress(delegate), nonce: parseAmount(nonce), signature };
  });
}
