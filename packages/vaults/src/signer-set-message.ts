import { type Address, type ChainId, chainNumber } from '@bulkhead/domain';
import { addressCodec, listOf, struct, type StructCodec, unsigned, wordHexCodec } from './codec.ts';
import type { TypedDomain } from './typed-data.ts';
import type { Hex } from './word.ts';

/** The next members of a signer set. They hold on every chain, one after the other by number. */
export type SetChange = { readonly number: bigint; readonly members: readonly Address[]; readonly threshold: bigint };

/** The quorum is alive at this block. `statement` is free: the hash of what is attested, or zeros. */
export type Heartbeat = { readonly blockNumber: bigint; readonly blockHash: Hex; readonly statement: Hex };

export const setChangeForm: StructCodec<SetChange> = struct('SetChange', {
  number: unsigned(256),
  members: listOf(addressCodec),
  threshold: unsigned(8),
});

export const heartbeatForm: StructCodec<Heartbeat> = struct('Heartbeat', {
  blockNumber: unsigned(256),
  blockHash: wordHexCodec,
  statement: wordHexCodec,
});

/** Of changes: no chain, so that a retired member does not come back to life on a new one. */
export function setChangeDomain(signerSet: Address): TypedDomain {
  return { name: 'Bulkhead Signer Set', version: '1', verifyingContract: signerSet };
}

/** Of heartbeats: on one chain. */
export function heartbeatDomain(chain: ChainId, signerSet: Address): TypedDomain {
  return {
    name: 'Bulkhead Signer Set',
    version: '1',
    chainId: BigInt(chainNumber(chain)),
    verifyingContract: signerSet,
  };
}
