import { type Custody, provenAsset, type ReserveWalletProof, reserveWalletProof } from '@bulkhead/custody';
import {
  type AssetId,
  chainOf,
  contractOf,
  invariant,
  parseAddress,
  parseChainId,
  type ProofQuorum,
  type Signature,
  type SignedStatement,
} from '@bulkhead/domain';
import { certificateDigest, type SignedCertificate, type Wallet } from '@bulkhead/proofs';
import type { EvidenceQuestion, EvidenceSource, WalletEvidence } from '@bulkhead/reserves';
import { bytesOf, vaultConfigBytes } from '@bulkhead/vaults';

/**
 * What shows whose the wallets of an epoch are and who controls them: certificates that are stored, and, where there are signers to be asked,
 * the signature of each key and that of the quorum over all balances. Signers sign for an epoch that they committed to before, and no other.
 */
export function evidenceFor(custody: Custody, asset: AssetId, quorum: ProofQuorum | undefined): EvidenceSource {
  return {
    // Where nobody has looked up where a token keeps its balances, a verifier is told that it is not known.
    balances:
      contractOf(asset) === undefined
        ? { form: 'account' }
        : (provenAsset(custody, asset)?.terms.balances ?? { form: 'unknown' }),
    wallet: async ({ header, context, held }) => {
      const found = await reserveWalletProof(custody, held.id);
      invariant(found?.address === held.address, 'A wallet that was read is there.', { wallet: held.id });
      return evidenceOf(found, (wallet) => control(custody, quorum, { header, context, wallet, id: held.id }));
    },
    statements: async ({ header, context, root, count }) => {
      if (quorum === undefined) return undefined;
      const { signatures } = await quorum.signReserves({
        intent: {
          kind: 'balance-statements',
          deployment: custody.deployment,
          id: `bst_${hexOf(context).slice(0, 32)}`,
          chain: parseChainId(`eip155:${header.registryChain}`),
          registry: parseAddress(`0x${hexOf(header.registry)}`),
          context: hexOf(context),
          root: hexOf(root),
          count: BigInt(count),
        },
      });
      return signaturesIn(signatures);
    },
  };
}

type KeyWallet = Extract<ReserveWalletProof, { readonly sort: 'key' }>;
type Sign = (wallet: KeyWallet) => Promise<Uint8Array | undefined>;

async function evidenceOf(proof: ReserveWalletProof, sign: Sign): Promise<WalletEvidence> {
  const certificates = proof.certificates.map(certificateOf);
  const common = { address: proof.address, certificate: sharedDigest(certificates) };
  switch (proof.sort) {
    case 'key':
      return { wallets: [{ ...common, sort: 'key', signature: await sign(proof) }], certificates };
    case 'vault':
      return { wallets: [{ ...common, sort: 'vault', config: vaultConfigBytes(proof.config) }], certificates };
    case 'forwarder': {
      const vault = await evidenceOf(proof.vault, sign);
      const own: Wallet = { ...common, sort: 'forwarder', vault: proof.vault.address, salt: bytesOf(proof.salt) };
      return { wallets: [own, ...vault.wallets], certificates: [...certificates, ...vault.certificates] };
    }
  }
}

function certificateOf({ statement, identity, signature }: SignedStatement): SignedCertificate {
  return { statement, identity: bytesOf(`0x${identity}`), signature: bytesOf(`0x${signature}`) };
}

/** The statement that most signers made, word for word; the first of those where several are as many. */
function sharedDigest(certificates: readonly SignedCertificate[]): Uint8Array | undefined {
  const counts = new Map<string, number>();
  for (const { statement } of certificates) counts.set(statement, (counts.get(statement) ?? 0) + 1);
  const [most] = [...counts].toSorted(([, a], [, b]) => b - a);
  return most === undefined ? undefined : certificateDigest({ statement: most[0] });
}

async function control(
  custody: Custody,
  quorum: ProofQuorum | undefined,
  of: EvidenceQuestion & { readonly wallet: KeyWallet; readonly id: string },
): Promise<Uint8Array | undefined> {
  if (quorum === undefined) return undefined;
  const { header, context, wallet, id } = of;
  const { signature } = await quorum.signControl({
    key: wallet.key,
    intent: {
      kind: 'wallet-control',
      deployment: custody.deployment,
      // One intent for each wallet and epoch: asked again it is the same.
      id: `ctl_${hexOf(context).slice(0, 24)}-${id.replace(/^wal_/u, '')}`,
      chain: chainOf(header.asset),
      compartment: wallet.compartment,
      wallet: wallet.address,
      custodian: hexOf(header.custodian),
      context: hexOf(context),
    },
  });
  return signatureBytes(signature);
}

/** As contracts take one: r, s, and 27 or 28. */
function signatureBytes({ r, s, yParity }: Signature): Uint8Array {
  const word = (value: bigint): string => value.toString(16).padStart(64, '0');
  return bytesOf(`0x${word(r)}${word(s)}${(27 + yParity).toString(16)}`);
}

/** Bytes of one signature of a member. */
const signatureLength = 65;

function signaturesIn(joined: Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: joined.length / signatureLength }, (_, at) =>
    joined.slice(at * signatureLength, (at + 1) * signatureLength),
  );
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
