import { type Address, parseAddress, parseCompartment } from '@bulkhead/domain';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import {
  balanceStatement,
  type CompartmentWallets,
  makeStatementTree,
  type OwnClaim,
  type SignedCertificate,
  type SignedStatements,
  type StatementTree,
  type Wallet,
} from '../src/index.ts';
import { plainEpoch, type PlainEpoch, pools } from './epoch.ts';

/** The files of an epoch as the vectors have them: fields in words, and bytes in hex. */
export type WalletWords = {
  readonly sort: 'key' | 'vault' | 'forwarder';
  readonly address: string;
  readonly certificate: string | null;
  readonly signature?: string | null;
  readonly config?: string;
  readonly vault?: string;
  readonly salt?: string;
};

export type CompartmentWords = { readonly compartment: number; readonly wallets: readonly WalletWords[] };
export type CertificateWords = { readonly statement: string; readonly identity: string; readonly signature: string };

const optional = (hex: string | null | undefined): Uint8Array | undefined =>
  hex === null || hex === undefined ? undefined : hexToBytes(hex);

function walletOf(words: WalletWords): Wallet {
  const certified: { readonly address: Address; readonly certificate: Uint8Array | undefined } = {
    address: parseAddress(words.address),
    certificate: optional(words.certificate),
  };
  switch (words.sort) {
    case 'key':
      return { ...certified, sort: 'key', signature: optional(words.signature) };
    case 'vault':
      return { ...certified, sort: 'vault', config: hexToBytes(words.config ?? '') };
    case 'forwarder':
      return {
        ...certified,
        sort: 'forwarder',
        vault: parseAddress(words.vault ?? ''),
        salt: hexToBytes(words.salt ?? ''),
      };
  }
}

export function compartmentsOf(words: readonly CompartmentWords[]): readonly CompartmentWallets[] {
  return words.map(({ compartment, wallets }) => ({ compartment, wallets: wallets.map(walletOf) }));
}

export function certificateOf({ statement, identity, signature }: CertificateWords): SignedCertificate {
  return { statement, identity: hexToBytes(identity), signature: hexToBytes(signature) };
}

/** All claims of all pools, in the order of statements. */
export const allClaims: readonly OwnClaim[] = pools.flatMap(({ compartment, claims }) =>
  claims.map((claim) => ({ ...claim, compartment: parseCompartment(compartment) })),
);

/** The tree of statements of an epoch, and what a quorum signed of it. */
export function statementEpoch(
  signatures: readonly Uint8Array[],
  epoch: PlainEpoch = plainEpoch(),
): { readonly epoch: PlainEpoch; readonly tree: StatementTree; readonly signed: SignedStatements } {
  const tree = makeStatementTree(epoch.work, { claims: allClaims, count: allClaims.length });
  return { epoch, tree, signed: { header: epoch.work.header, root: tree.root, count: tree.count, signatures } };
}

/** The statement of one claim, by its place. */
export function statementAt(of: ReturnType<typeof statementEpoch>, at: number): Uint8Array {
  const claim = allClaims[at];
  if (claim === undefined) throw new RangeError(`There is no claim ${at}.`);
  return balanceStatement(of.epoch.work, { signed: of.signed, tree: of.tree, claim, at });
}

export const hexOf = bytesToHex;
