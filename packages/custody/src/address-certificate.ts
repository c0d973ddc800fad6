import {
  type Address,
  type ChainId,
  checksumAddress,
  type Compartment,
  invariant,
  parseAddress,
  refuse,
  type SignedStatement,
} from '@bulkhead/domain';
import { type Queries, text, type Transaction } from '@bulkhead/postgres';
import { forwarderSalt } from '@bulkhead/vaults';
import { type Answer, commandAfterAsking, notFound, type WriteCall } from './command.ts';
import type { Actor, Custody } from './custody.ts';
import { record } from './journal.ts';
import { readState, writeState } from './state.ts';
import { certifiedVault, expectReceipt } from './vault-address.ts';
import { expectVaultsOn } from './vault-chain.ts';
import { certificatesIn, type Vault, vaultOfWallet } from './vault-row.ts';
import { findWallet, keyOf, proven, type Wallet } from './wallet.ts';

export type AddressCertificateView = {
  readonly walletId: string;
  readonly address: string;
  /** The first of {@link certificates}. */
  readonly certificate: SignedStatement;
  /** One of the signer for an address of a key; of as many signers as must agree for one of a contract. */
  readonly certificates: readonly SignedStatement[];
  /** Of a forwarder: the certificates of the vault that it pays, with the whole configuration inside; none otherwise. */
  readonly vaultCertificates: readonly SignedStatement[];
};

/**
 * The deposit-address certificate of a client's wallet: the signer says, in a statement that verifies offline, that this address
 * is where this client pays in. Asked for once and stored. For a forwarder as many signers say it as must agree on a payment of its vault,
 * with the salt and the contracts that its address follows from; a vault's own certificate has been there since before its address.
 *
 * @throws CustodyError `wallet/address-mismatch`, `signer/certificate-invalid`, `signer/unavailable`, `signer/address-certified-before`,
 * `vault/receipt-missing`
 */
export async function addressCertificate(
  custody: Custody,
  call: WriteCall,
  walletId: string,
): Promise<Answer<AddressCertificateView>> {
  const answer = await commandAfterAsking<{ certificates: Certificates }, AddressCertificateView>(custody, call, {
    ask: async () => {
      const wallet = await findWallet(custody.db, walletId);
      if (wallet === undefined) return notFound('wallet', walletId);
      if (wallet.client === undefined) {
        return refuse(
          'wallet/of-no-client',
          `Wallet ${walletId} (${wallet.purpose}) belongs to no client: a certificate says where a client pays in.`,
          { wallet: walletId },
        );
      }
      return { certificates: await askCertificates(custody, { ...wallet, client: wallet.client }) };
    },
    work: async (tx, now, { certificates: asked }) => {
      const wallet = await findWallet(tx, walletId);
      if (wallet === undefined) return notFound('wallet', walletId);
      await storeCertificates(tx, { wallet: walletId, certificates: asked, actor: call.actor, now });
      // The first ones count where two came at once: both say the same.
      const certificates = (await storedCertificates(tx, walletId)) ?? asked;
      const [certificate] = certificates;
      const vaultCertificates = wallet.kind === 'forwarder' ? await certificatesOfVault(tx, wallet.vault) : [];
      const address = checksumAddress(wallet.address);
      return { walletId, address, certificate, certificates, vaultCertificates };
    },
  });
  if (answer.outcome.status === 'done') await assertGenuine(custody, answer.outcome.view);
  return answer;
}

/** What is stored may have been changed since: an answer is held against key and identities each time that it is given out. */
async function assertGenuine(custody: Custody, view: AddressCertificateView): Promise<void> {
  const wallet = await findWallet(custody.db, view.walletId);
  invariant(wallet?.client !== undefined, 'A certificate names a wallet of no client.', { wallet: view.walletId });
  const stated = { ...wallet, address: parseAddress(view.address) };
  await proven(custody, custody.db, stated);
  for (const certificate of [view.certificate, ...view.certificates]) {
    await assertSays(custody, { ...stated, client: wallet.client }, certificate);
  }
  if (view.vaultCertificates.length === 0) return;
  const vault = await vaultBehind(custody.db, wallet);
  const { setup } = expectVaultsOn(custody, wallet.chain);
  for (const certificate of view.vaultCertificates) setup.verifyVault(certifiedVault(vault, certificate));
}

/** @throws CustodyError `signer/certificate-invalid` for one that no pinned signer gave, or that says something else */
async function assertSays(custody: Custody, wallet: ClientWallet, certificate: SignedStatement): Promise<void> {
  const { client, chain, address, compartment } = wallet;
  if (wallet.kind === 'key') {
    return custody.verifyDepositAddress({ client, chain, key: keyOf(wallet), address, certificate });
  }
  const { setup } = expectVaultsOn(custody, chain);
  const vault = await vaultBehind(custody.db, wallet);
  if (wallet.kind === 'vault') return setup.verifyVault(certifiedVault(vault, certificate));
  const salt = saltOf(wallet.index);
  setup.verifyForwarder({ certificate, client, chain, compartment, vault: vault.address, salt, address });
}

async function vaultBehind(db: Queries, wallet: Wallet): Promise<Vault> {
  const vault = await vaultOfWallet(db, wallet.kind === 'forwarder' ? wallet.vault : wallet.id);
  invariant(vault !== undefined, 'A contract of ours has no vault.', { wallet: wallet.id });
  return vault;
}

function saltOf(index: number): string {
  return forwarderSalt(BigInt(index)).slice(2);
}

async function certificatesOfVault(db: Queries, wallet: string): Promise<readonly SignedStatement[]> {
  const vault = await vaultOfWallet(db, wallet);
  return vault?.certificateText === undefined ? [] : certificatesIn(vault.certificateText);
}

type ClientWallet = Wallet & { readonly client: string };

/** The same without a request: for what the machine needs. Safe to repeat; a crash before the commit asks again. */
export async function certifyWallet(custody: Custody, wallet: ClientWallet, actor: Actor): Promise<void> {
  const certificates = await askCertificates(custody, wallet);
  const now = custody.clock.now();
  await custody.db.transaction((tx) => storeCertificates(tx, { wallet: wallet.id, certificates, actor, now }));
}

async function askCertificates(custody: Custody, wallet: ClientWallet): Promise<Certificates> {
  await proven(custody, custody.db, wallet);
  const [first, ...more] = (await storedCertificates(custody.db, wallet.id)) ?? (await given(custody, wallet));
  invariant(first !== undefined, 'Signers agreed and gave no certificate.', { wallet: wallet.id });
  const certificates = [first, ...more] as const;
  for (const certificate of certificates) await assertSays(custody, wallet, certificate);
  return certificates;
}

/** What the signers say now. The address of a contract is shown to nobody before its client holds the certificate of the vault. */
async function given(custody: Custody, wallet: ClientWallet): Promise<readonly SignedStatement[]> {
  const { client, chain } = wallet;
  if (wallet.kind === 'key') return [await custody.signer.certifyAddress({ client, chain, key: keyOf(wallet) })];
  const vaultWallet = wallet.kind === 'forwarder' ? wallet.vault : wallet.id;
  await expectReceipt(custody.db, vaultWallet);
  if (wallet.kind === 'vault') return certificatesOfVault(custody.db, vaultWallet);
  const { setup } = expectVaultsOn(custody, chain);
  const { address: vault } = await vaultBehind(custody.db, wallet);
  return setup.quorum.certifyForwarder({ client, chain, vault, salt: saltOf(wallet.index) });
}

/** At least one. */
type Certificates = readonly [SignedStatement, ...SignedStatement[]];

type NewCertificate = {
  readonly wallet: string;
  readonly certificates: Certificates;
  readonly actor: Actor;
  readonly now: Date;
};

async function storeCertificates(tx: Transaction, { wallet, certificates, actor, now }: NewCertificate): Promise<void> {
  const stored = await tx.query(
    `insert into custody.address_certificate (wallet, certificate, issued_by, created_at)
     values ($1, $2, $3, $4) on conflict (wallet) do nothing returning wallet`,
    // One stands alone, as it did before contracts had several.
    [wallet, writeState(certificates.length === 1 ? certificates[0] : certificates), actor.name, now],
  );
  if (stored.length > 0) {
    await record(tx, now, { actor, subject: wallet, event: 'address-certified', data: { certificates } });
  }
}

/** The certificates of an address that a client moves to, as they are stored: asked for before. */
export async function certificatesForMove(
  db: Queries,
  wallet: Wallet,
): Promise<Pick<AddressCertificateView, 'certificates' | 'vaultCertificates'>> {
  const certificates = (await storedCertificates(db, wallet.id)) ?? [];
  const vaultCertificates = wallet.kind === 'forwarder' ? await certificatesOfVault(db, wallet.vault) : [];
  return { certificates, vaultCertificates };
}

export async function storedCertificates(db: Queries, wallet: string): Promise<Certificates | undefined> {
  const [row] = await db.query('select certificate::text from custody.address_certificate where wallet = $1', [wallet]);
  if (row === undefined) return undefined;
  const stored = readState<SignedStatement | Certificates>(text(row, 'certificate'));
  return 'statement' in stored ? [stored] : stored;
}

export type StoredCertificateView = AddressCertificateView & {
  readonly chain: ChainId;
  readonly compartment: Compartment;
  readonly clientId: string;
};

/**
 * The certificates that were given for an address of a client, held against key and identities as each time that they are given out. Undefined
 * for an address that has none.
 *
 * @throws CustodyError `wallet/address-mismatch`, `signer/certificate-invalid`
 */
export async function addressCertificateOf(
  custody: Custody,
  of: { readonly address: Address; readonly chain?: ChainId },
): Promise<StoredCertificateView | undefined> {
  const { db } = custody;
  const [row] = await db.query(
    `select w.id from custody.wallet w join custody.address_certificate c on c.wallet = w.id
     where w.address = $1 and ($2::text is null or w.chain = $2) and w.client is not null order by w.id limit 1`,
    [of.address, of.chain ?? null],
  );
  const wallet = row === undefined ? undefined : await findWallet(db, text(row, 'id'));
  const certificates = wallet === undefined ? undefined : await storedCertificates(db, wallet.id);
  if (wallet?.client === undefined || certificates === undefined) return undefined;
  const vaultCertificates = wallet.kind === 'forwarder' ? await certificatesOfVault(db, wallet.vault) : [];
  const [certificate] = certificates;
  const view = {
    walletId: wallet.id,
    address: checksumAddress(wallet.address),
    certificate,
    certificates,
    vaultCertificates,
  };
  await assertGenuine(custody, view);
  const { chain, compartment, client: clientId } = wallet;
  return { ...view, chain, compartment, clientId };
}
