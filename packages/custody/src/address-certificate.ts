import { checksumAddress, invariant, parseAddress, refuse, type SignedStatement } from '@bulkhead/domain';
import { type Queries, text, type Transaction } from '@bulkhead/postgres';
import { type Answer, commandAfterAsking, notFound, type WriteCall } from './command.ts';
import type { Actor, Custody } from './custody.ts';
import { record } from './journal.ts';
import { readState, writeState } from './state.ts';
import { findWallet, keyOf, proven, type Wallet } from './wallet.ts';

export type AddressCertificateView = {
  readonly walletId: string;
  readonly address: string;
  readonly certificate: SignedStatement;
};

/**
 * The deposit-address certificate of a client's wallet: the signer says, in a statement that verifies offline, that this address
 * is where this client pays in. Asked for once and stored.
 *
 * @throws CustodyError `wallet/address-mismatch`, `signer/certificate-invalid`, `signer/unavailable`, `signer/address-certified-before`
 */
export async function addressCertificate(
  custody: Custody,
  call: WriteCall,
  walletId: string,
): Promise<Answer<AddressCertificateView>> {
  const answer = await commandAfterAsking<{ certificate: SignedStatement }, AddressCertificateView>(custody, call, {
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
      return { certificate: await askCertificate(custody, { ...wallet, client: wallet.client }) };
    },
    work: async (tx, now, { certificate }) => {
      const wallet = await findWallet(tx, walletId);
      if (wallet === undefined) return notFound('wallet', walletId);
      await storeCertificate(tx, { wallet: walletId, certificate, actor: call.actor, now });
      // The first one counts where two came at once: both say the same.
      const first = (await storedCertificate(tx, walletId)) ?? certificate;
      return { walletId, address: checksumAddress(wallet.address), certificate: first };
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
  const { client, chain, address } = { ...stated, client: wallet.client };
  const key = keyOf(wallet);
  custody.verifyDepositAddress({ client, chain, key, address, certificate: view.certificate });
}

type ClientWallet = Wallet & { readonly client: string };

/** The same without a request: for what the machine needs. Safe to repeat; a crash before the commit asks again. */
export async function certifyWallet(custody: Custody, wallet: ClientWallet, actor: Actor): Promise<void> {
  const certificate = await askCertificate(custody, wallet);
  const now = custody.clock.now();
  await custody.db.transaction((tx) => storeCertificate(tx, { wallet: wallet.id, certificate, actor, now }));
}

async function askCertificate(custody: Custody, wallet: ClientWallet): Promise<SignedStatement> {
  await proven(custody, custody.db, wallet);
  const stored = await storedCertificate(custody.db, wallet.id);
  const { client, chain, address } = wallet;
  const key = keyOf(wallet);
  const certificate = stored ?? (await custody.signer.certifyAddress({ client, chain, key }));
  custody.verifyDepositAddress({ client, chain, key, address, certificate });
  return certificate;
}

type NewCertificate = {
  readonly wallet: string;
  readonly certificate: SignedStatement;
  readonly actor: Actor;
  readonly now: Date;
};

async function storeCertificate(tx: Transaction, { wallet, certificate, actor, now }: NewCertificate): Promise<void> {
  const stored = await tx.query(
    `insert into custody.address_certificate (wallet, certificate, issued_by, created_at)
     values ($1, $2, $3, $4) on conflict (wallet) do nothing returning wallet`,
    [wallet, writeState(certificate), actor.name, now],
  );
  if (stored.length > 0) {
    await record(tx, now, { actor, subject: wallet, event: 'address-certified', data: certificate });
  }
}

export async function storedCertificate(db: Queries, wallet: string): Promise<SignedStatement | undefined> {
  const [row] = await db.query('select certificate::text from custody.address_certificate where wallet = $1', [wallet]);
  return row === undefined ? undefined : readState<SignedStatement>(text(row, 'certificate'));
}
