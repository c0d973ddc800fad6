import {
  type Address,
  type ChainId,
  chainNumber,
  type ReserveIntent,
  type WalletControlIntent,
} from '@bulkhead/domain';
import { concatBytes } from '@noble/hashes/utils.js';
import { addressCodec, type Keccak, struct, type StructCodec, unsigned, wordHexCodec } from './codec.ts';
import { type TypedDomain, typedPreimage } from './typed-data.ts';
import { bytesOf, type Hex, hexOf } from './word.ts';

/** An epoch of an asset: `context` stands for the whole header, `record` for what is owed and held. */
export type ReserveCommitment = { readonly context: Hex; readonly record: Hex; readonly reserves: bigint };

/** The bundle with this digest proves the epoch in full. */
export type ReserveProof = { readonly context: Hex; readonly proof: Hex };

/** So many statements of balances of the epoch, one for each claim, are in the tree with this root. */
export type BalanceStatements = { readonly context: Hex; readonly root: Hex; readonly count: bigint };

/** This custodian controls this wallet at the epoch of the context. */
export type WalletControl = { readonly custodian: Hex; readonly context: Hex; readonly wallet: Address };

export const reserveCommitmentForm: StructCodec<ReserveCommitment> = struct('ReserveCommitment', {
  context: wordHexCodec,
  record: wordHexCodec,
  reserves: unsigned(128),
});

export const reserveProofForm: StructCodec<ReserveProof> = struct('ReserveProof', {
  context: wordHexCodec,
  proof: wordHexCodec,
});

export const balanceStatementsForm: StructCodec<BalanceStatements> = struct('BalanceStatements', {
  context: wordHexCodec,
  root: wordHexCodec,
  count: unsigned(64),
});

export const walletControlForm: StructCodec<WalletControl> = struct('WalletControl', {
  custodian: wordHexCodec,
  context: wordHexCodec,
  wallet: addressCodec,
});

/** Of what a quorum says to a proof registry. */
export function proofRegistryDomain(chain: ChainId, registry: Address): TypedDomain {
  return {
    name: 'Bulkhead Proof Registry',
    version: '1',
    chainId: BigInt(chainNumber(chain)),
    verifyingContract: registry,
  };
}

/** Of what the key of a wallet says: on one chain, and to no contract. */
export function walletDomain(chain: ChainId): TypedDomain {
  return { name: 'Bulkhead Wallet', version: '1', chainId: BigInt(chainNumber(chain)) };
}

/** The context that the bytes of a header have: `H(0x10 || header)`, 64 lower-case hex digits. */
export function contextOfHeader(hashes: Keccak, header: string): string {
  const bytes = concatBytes(Uint8Array.of(0x10), bytesOf(`0x${header}`));
  return hexOf(hashes.keccak256(bytes)).slice(2);
}

/** The bytes whose Keccak-256 each member of the set of signers signs. */
export function reserveIntentPreimage(hashes: Keccak, intent: ReserveIntent): Uint8Array {
  const domain = proofRegistryDomain(intent.chain, intent.registry);
  switch (intent.kind) {
    case 'reserve-commitment': {
      const context: Hex = `0x${contextOfHeader(hashes, intent.header)}`;
      const message = { context, record: `0x${intent.record}` as const, reserves: intent.reserves };
      return typedPreimage(hashes, domain, { form: reserveCommitmentForm, message });
    }
    case 'reserve-proof': {
      const message: ReserveProof = { context: `0x${intent.context}`, proof: `0x${intent.proof}` };
      return typedPreimage(hashes, domain, { form: reserveProofForm, message });
    }
    case 'balance-statements': {
      const { count } = intent;
      const message: BalanceStatements = { context: `0x${intent.context}`, root: `0x${intent.root}`, count };
      return typedPreimage(hashes, domain, { form: balanceStatementsForm, message });
    }
  }
}

/** Keccak-256 of {@link reserveIntentPreimage}: what the registry checks the signatures of a quorum against. */
export function reserveIntentDigest(hashes: Keccak, intent: ReserveIntent): Uint8Array {
  return hashes.keccak256(reserveIntentPreimage(hashes, intent));
}

/** The bytes whose Keccak-256 the key of a wallet signs. */
export function walletControlPreimage(hashes: Keccak, intent: WalletControlIntent): Uint8Array {
  const { custodian, context, wallet } = intent;
  const message: WalletControl = { custodian: `0x${custodian}`, context: `0x${context}`, wallet };
  return typedPreimage(hashes, walletDomain(intent.chain), { form: walletControlForm, message });
}
