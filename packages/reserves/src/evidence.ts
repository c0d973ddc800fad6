import type { Compartment } from '@bulkhead/domain';
import type { BalancePlace, ReserveHeader, SignedCertificate, Wallet } from '@bulkhead/proofs';
import type { HeldWallet } from './position.ts';
import { type Snapshot, walletsIn } from './snapshot.ts';

/**
 * What shows whose a wallet is and who controls it: the wallet itself, and of a forwarder the vault as well that it pays, be it empty.
 */
export type WalletEvidence = {
  readonly wallets: readonly Wallet[];
  readonly certificates: readonly SignedCertificate[];
};

/** What an epoch is about, for whoever signs something of it. */
export type EvidenceQuestion = { readonly header: ReserveHeader; readonly context: Uint8Array };

/**
 * Where evidence comes from: certificates that are stored, signatures that somebody is asked for. What is not there is left out of the files,
 * and a reader of them finds it missing.
 */
export type EvidenceSource = {
  /** Where the state of the chain has the balances of the asset. */
  readonly balances: BalancePlace;
  readonly wallet: (of: EvidenceQuestion & { readonly held: HeldWallet }) => Promise<WalletEvidence>;
  /** Signatures of a quorum over the root of all balance statements, 65 bytes each, ascending by signer; undefined where there are none. */
  readonly statements: (
    of: EvidenceQuestion & { readonly root: Uint8Array; readonly count: number },
  ) => Promise<readonly Uint8Array[] | undefined>;
};

/** Evidence of all wallets of the snapshot, by compartment; wallets ascend by address, and no certificate is there twice. */
export async function evidenceOf(
  snapshot: Snapshot,
  source: EvidenceSource,
  about: EvidenceQuestion,
): Promise<ReadonlyMap<Compartment, WalletEvidence>> {
  const found = new Map<Compartment, WalletEvidence[]>();
  for (const held of walletsIn(snapshot)) {
    const of = found.get(held.compartment) ?? [];
    of.push(await source.wallet({ ...about, held }));
    found.set(held.compartment, of);
  }
  return new Map(
    [...found].map(([compartment, all]) => [
      compartment,
      {
        wallets: [...new Map(all.flatMap(({ wallets }) => wallets.map((one) => [one.address, one]))).values()].toSorted(
          (a, b) => (a.address < b.address ? -1 : 1),
        ),
        certificates: eachOnce(all.flatMap(({ certificates }) => certificates)),
      },
    ]),
  );
}

/** Forwarders of one vault bring its certificates each. */
export function eachOnce(certificates: readonly SignedCertificate[]): readonly SignedCertificate[] {
  const byContent = new Map(
    certificates.map((one) => [`${Buffer.from(one.identity).toString('hex')} ${one.statement}`, one]),
  );
  return [...byContent.values()];
}
