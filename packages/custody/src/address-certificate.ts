import { checksumAddress, CustodyError, refuse, type SignedStatement } from '@bulkhead/domain';
import { type Queries, text } from '@bulkhead/postgres';
import { type Answer, commandAfterAsking, notFound, type WriteCall } from './command.ts';
import type { Custody } from './custody.ts';
import { record } from './journal.ts';
import { readState, writeState } from './state.ts';
import { findWallet, proven, type Wallet } from './wallet.ts';

export type AddressCertificateView = {
  readonly walletId: string;
  readonly address: string;
  readonly certificate: SignedStatement;
};

/**
 * The deposit-address certificate of a client's wallet: the signer says, in a statement that verifies offline, that this address
 * is where this client pays in. Asked for once and stored.
 *
 * @throws CustodyError `wallet/address-mismatch`, `signer/unavailable`, `signer/address-certified-before`
 */
export async function addressCertificate(
  custody: Custody,
  call: WriteCall,
  walletId: string,
): Promise<Answer<AddressCertificateView>> {
  return commandAfterAsking<{ certificate: SignedStatement }, AddressCertificateView>(custody, call, {
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
      await proven(custody, custody.db, wallet);
      const stored = await storedCertificate(custody.db, walletId);
      if (stored !== undefined) return { certificate: stored };
      const claim = { client: wallet.client, chain: wallet.chain, key: wallet.key };
      const certificate = await custody.signer.certifyAddress(claim);
      if (!certificate.statement.toLowerCase().includes(wallet.address)) throw ofAnotherAddress(wallet);
      return { certificate };
    },
    work: async (tx, now, { certificate }) => {
      const wallet = await findWallet(tx, walletId);
      if (wallet === undefined) return notFound('wallet', walletId);
      const stored = await tx.query(
        `insert into custody.address_certificate (wallet, certificate, issued_by, created_at)
         values ($1, $2, $3, $4) on conflict (wallet) do nothing returning wallet`,
        [walletId, writeState(certificate), call.actor.name, now],
      );
      if (stored.length > 0) {
        await record(tx, now, { actor: call.actor, subject: walletId, event: 'address-certified', data: certificate });
      }
      // The first one counts where two came at once: both say the same.
      const first = (await storedCertificate(tx, walletId)) ?? certificate;
      return { walletId, address: checksumAddress(wallet.address), certificate: first };
    },
  });
}

async function storedCertificate(db: Queries, wallet: string): Promise<SignedStatement | undefined> {
  const [row] = await db.query('select certificate::text from custody.address_certificate where wallet = $1', [wallet]);
  return row === undefined ? undefined : readState<SignedStatement>(text(row, 'certificate'));
}

function ofAnotherAddress(wallet: Wallet): CustodyError {
  return new CustodyError(
    'wallet/address-mismatch',
    `The signer certifies another address for wallet ${wallet.id} than ${checksumAddress(wallet.address)}: nothing is given out.`,
    { details: { wallet: wallet.id } },
  );
}
