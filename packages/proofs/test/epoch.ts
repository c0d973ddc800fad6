import { parseAssetId, parseCompartment } from '@bulkhead/domain';
import { hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import {
  type BlockHasher,
  type Claim,
  contextOf,
  type EpochWork,
  epochSecrets,
  fastBlockHasher,
  makePlainBook,
  makeSumTree,
  type PlainBook,
  type ReserveHeader,
  type SumTree,
} from '../src/index.ts';

export const master: Uint8Array = hexToBytes('5e'.repeat(32));

/** A header as a real one would be: the native coin of a chain, counted in wei. */
export function headerOf(change: Partial<ReserveHeader> = {}): ReserveHeader {
  return {
    tier: 'plain',
    bits: 128,
    registryChain: 1n,
    registry: hexToBytes('71'.repeat(20)),
    custodian: hexToBytes('c0'.repeat(32)),
    epoch: 7n,
    asset: parseAssetId('eip155:1/slip44:60'),
    unitExponent: 0,
    blockNumber: 21_000_000n,
    blockHash: hexToBytes('b1'.repeat(32)),
    ledgerPosition: 123_456n,
    takenAt: 1_790_000_000n,
    previous: hexToBytes('00'.repeat(32)),
    ...change,
  };
}

export function workOf(
  header: ReserveHeader,
  hasher: BlockHasher = fastBlockHasher(),
  secret: Uint8Array = master,
): EpochWork {
  const context = contextOf(header);
  return { header, context, hasher, secrets: epochSecrets(secret, context) };
}

export const client = (name: string, amount: bigint): Claim => ({ kind: 'client', holder: utf8ToBytes(name), amount });

/** Three compartments: a pool of five clients with fees and suspense, two clients apart. */
export const pools: readonly {
  readonly compartment: number;
  readonly reserves: bigint;
  readonly claims: readonly Claim[];
}[] = [
  {
    compartment: 10_000,
    reserves: 1_000n,
    claims: [
      client('ada', 100n),
      client('bob', 250n),
      client('cleo', 0n),
      client('dan', 333n),
      client('eve', 1n),
      { kind: 'fee-payable', holder: utf8ToBytes('house'), amount: 16n },
      { kind: 'suspense', holder: utf8ToBytes('nobody'), amount: 300n },
    ],
  },
  { compartment: 100_000, reserves: 5_000n, claims: [client('fay', 5_000n)] },
  {
    compartment: 100_007,
    reserves: 2n ** 90n,
    claims: [client('gil', 2n ** 90n - 5n), { kind: 'fee-payable', holder: utf8ToBytes('house'), amount: 5n }],
  },
];

export type PlainEpoch = { readonly work: EpochWork; readonly trees: readonly SumTree[]; readonly plain: PlainBook };

/** The whole plain tier over some pools. */
export function plainEpoch(work: EpochWork = workOf(headerOf()), over: typeof pools = pools): PlainEpoch {
  const trees = over.map(({ compartment, claims }) =>
    makeSumTree(work, { compartment: parseCompartment(compartment), claims, count: claims.length }),
  );
  const rows = trees.map((tree, at) => ({ tree, reserves: over[at]?.reserves ?? 0n }));
  return { work, trees, plain: makePlainBook(work, rows) };
}
