import { chainOf, contractOf, invariant, type WithdrawalTerms } from '@bulkhead/domain';
import {
  type Hex,
  hexOf,
  nativeToken,
  type TypedData,
  typedData,
  typedDigest,
  vaultDomain,
  vaultForms,
} from '@bulkhead/vaults';
import { hashes } from './keccak.ts';

/** What the client key signs for a one-off payment: the very data that the quorum signs. */
export function oneOffData(terms: WithdrawalTerms): { readonly digest: Hex; readonly typedData: TypedData } {
  const { vault, asset, destination: to, amount, expiresAt } = terms;
  invariant(vault !== undefined, 'A withdrawal without a vault was taken for a one-off payment.', { id: terms.id });
  const deadline = BigInt(Math.floor(expiresAt.getTime() / 1000));
  const message = { token: contractOf(asset) ?? nativeToken, to, amount, nonce: vault.nonce, deadline };
  const domain = vaultDomain(chainOf(asset), vault.address);
  const signed = { form: vaultForms.oneOff, message };
  return { digest: hexOf(typedDigest(hashes, domain, signed)), typedData: typedData(domain, signed) };
}
