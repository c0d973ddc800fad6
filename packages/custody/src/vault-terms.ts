import {
  chainOf,
  checksumAddress,
  contractOf,
  invariant,
  kindOf,
  refuse,
  type Refused,
  type VaultAuthorisation,
  type WithdrawalTerms,
} from '@bulkhead/domain';
import type { Queries, Transaction } from '@bulkhead/postgres';
import type { Custody } from './custody.ts';
import { payingWallets, walletThatCanPay } from './liquidity.ts';
import { vaultHistory } from './vault-event.ts';
import { relayCap } from './vault-relay.ts';
import { takeVaultNonce, type Vault, vaultOfWallet } from './vault-row.ts';
import { isListed, limitObjection, type VaultState } from './vault-state.ts';
import { findWalletByAddress, vaultWallet } from './wallet.ts';

type Asked = { readonly terms: WithdrawalTerms; readonly oneOff: boolean; readonly now: Date };

/**
 * The terms as the wallet that will pay makes them. A compartment with a vault pays from it, unless an address with a key holds enough
 * and the vault does not. What the vault can never let out is refused before anybody approves it.
 */
export async function throughVault(
  custody: Custody,
  db: Queries,
  { terms, oneOff, now }: Asked,
): Promise<WithdrawalTerms | Refused> {
  const found = await payingVault(db, terms);
  if (found === undefined) {
    return oneOff
      ? refuse(
          'vault/not-issued',
          `Compartment ${terms.compartment} has no vault that pays this: a one-off payment is one of a vault.`,
        )
      : terms;
  }
  const { state, chainSeconds } = await vaultHistory(custody, db, found);
  if (state.exitReadyAt !== undefined) return exiting(found);
  const ownSeconds = BigInt(Math.floor(now.getTime() / 1000));
  const seconds = chainSeconds > ownSeconds ? chainSeconds : ownSeconds;
  const own = await findWalletByAddress(db, chainOf(terms.asset), terms.destination);
  const toContract = own !== undefined && own.kind !== 'key';
  const authorisation = authorisationOf({ state, oneOff, terms, seconds, toContract });
  if (typeof authorisation !== 'string') return authorisation;
  const limit = { token: contractOf(terms.asset), amount: terms.amount, unlisted: authorisation === 'unlisted' };
  const objection = authorisation === 'one-off' ? undefined : limitObjection(state, limit);
  if (objection !== undefined) return aboveLimit(terms, objection);
  const feeMax = relayCap(custody, chainOf(terms.asset));
  return { ...terms, feePayer: 'house', feeMax, vault: { address: found.address, nonce: 0n, authorisation } };
}

async function payingVault(db: Queries, terms: WithdrawalTerms): Promise<Vault | undefined> {
  const wallet = await vaultWallet(db, chainOf(terms.asset), terms.compartment);
  if (wallet === undefined) return undefined;
  const vault = await vaultOfWallet(db, wallet.id);
  invariant(vault !== undefined, 'A wallet of a vault has none.', { wallet: wallet.id });
  // Before the client acknowledged the certificate nobody was told to pay in there.
  if (vault.step !== 'issued') return undefined;
  const asVault = { ...terms, vault: { address: vault.address, nonce: 0n, authorisation: 'listed' as const } };
  if ((await walletThatCanPay(db, [wallet], asVault)) !== undefined) return vault;
  const other = await walletThatCanPay(db, await payingWallets(db, terms), terms);
  return other === undefined ? vault : undefined;
}

type Authorising = {
  readonly state: VaultState;
  readonly oneOff: boolean;
  readonly terms: WithdrawalTerms;
  readonly seconds: bigint;
  /** A vault or forwarder of ours, which the contract pays as a listed destination or by a one-off alone. */
  readonly toContract: boolean;
};

function authorisationOf({ state, oneOff, terms, seconds, toContract }: Authorising): VaultAuthorisation | Refused {
  if (oneOff) return 'one-off';
  if (isListed(state, terms.destination, seconds)) return 'listed';
  const isRemoved =
    state.destinations.has(terms.destination) && state.destinations.get(terms.destination) === undefined;
  if (kindOf(terms.compartment) === 'omnibus' && !isRemoved && !toContract) return 'unlisted';
  return refuse(
    'vault/destination-not-listed',
    `${checksumAddress(terms.destination)} is no active destination of the vault: the client key adds it, with the delay of the vault, or signs this one payment (a one-off).`,
    { destination: terms.destination },
  );
}

function exiting(vault: Vault): Refused {
  return refuse(
    'vault/exiting',
    `The exit of vault ${vault.id} was asked for or is open: the vault pays nothing any more, and what it holds goes to its exit destination.`,
    { vault: vault.id },
  );
}

function aboveLimit(terms: WithdrawalTerms, objection: string): Refused {
  return refuse(
    'vault/limit-exceeded',
    `The vault never pays ${terms.amount} of ${terms.asset} there: ${objection}. The client key raises a limit, with the delay of the vault, or signs this one payment (a one-off).`,
    { asset: terms.asset, amount: terms.amount.toString() },
  );
}

/** Gives a withdrawal of a vault its nonce, for ever. */
export async function withVaultNonce(tx: Transaction, terms: WithdrawalTerms): Promise<WithdrawalTerms> {
  if (terms.vault === undefined) return terms;
  const wallet = await vaultWallet(tx, chainOf(terms.asset), terms.compartment);
  const vault = wallet === undefined ? undefined : await vaultOfWallet(tx, wallet.id);
  invariant(vault?.address === terms.vault.address, 'The vault of a withdrawal changed.', { id: terms.id });
  return { ...terms, vault: { ...terms.vault, nonce: await takeVaultNonce(tx, vault.id) } };
}
