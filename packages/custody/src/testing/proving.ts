import { chainNumber, CustodyError, invariant } from '@bulkhead/domain';
import {
  fakeMembers,
  FakeProofQuorum,
  fakeProofRegistry,
  fakeProofRegistryCode,
  fakeProofSettings,
  ProofProgram,
} from '@bulkhead/fakes';
import {
  advanceEpoch,
  beginEpoch,
  blockTime,
  isInRegistry,
  newestEpoch,
  pinnedMarker,
  recordBundle,
} from '@bulkhead/reserves';
import { bytesOf } from '@bulkhead/vaults';
import { sha256 } from '@noble/hashes/sha2.js';
import type { EpochMaker, ProofRegistrySetup } from '../proof-setup.ts';
import type { BenchOptions } from './bench.ts';
import { openVaulting, type VaultBench } from './vaulting.ts';

/** Makes nothing but what is stored of it, and says what it was asked for. */
export type CountingMaker = EpochMaker & {
  readonly asked: string[];
  /** What a compartment is said to lack; undefined while books and chain agree. */
  lacking: string | undefined;
  /** Whether it ends after the header was fixed. */
  halfway: boolean;
  /** Runs while an epoch is made. */
  meanwhile: () => Promise<void>;
};

export type ProofBench = VaultBench & {
  readonly registry: ProofProgram;
  /** Of the set of signers, those who answer. */
  readonly signers: { awake: VaultBench['quorum']['awake'] };
  readonly proofQuorum: FakeProofQuorum;
  readonly maker: CountingMaker;
};

/** Seconds between two epochs of the bench. */
export const epochSeconds = 3_600n;

/** A bench whose chain has a registry of proofs; its coin is proven there. */
export async function openProving(
  options: BenchOptions & { readonly setup?: Partial<ProofRegistrySetup> } = {},
): Promise<ProofBench> {
  const { setup = {}, ...rest } = options;
  let made: Pick<ProofBench, 'registry' | 'signers' | 'proofQuorum' | 'maker'> | undefined;
  const bench = await openVaulting({
    ...rest,
    proofs: ({ chain, signer, db }) => {
      const registry = new ProofProgram(chain.id);
      chain.ground.programs.push(registry);
      const signers = { awake: fakeMembers };
      const proofQuorum = new FakeProofQuorum(signer, signers);
      proofQuorum.listed.add(chain.id);
      const now = new Date('2030-01-02T03:04:05Z');
      const maker: CountingMaker = {
        asked: [],
        lacking: undefined,
        halfway: false,
        meanwhile: async () => undefined,
        make: async ({ asset, registry: where, tier, unitExponent }) => {
          const stream = { asset, registryChain: BigInt(chainNumber(chain.id)), registry: bytesOf(where.registry) };
          const before = await newestEpoch(db, stream);
          const number = (before?.header.epoch ?? 0n) + (before === undefined || isInRegistry(before) ? 1n : 0n);
          maker.asked.push(`make ${number}`);
          await maker.meanwhile();
          if (maker.lacking !== undefined) throw new CustodyError('reserves/insolvent', maker.lacking);
          const marker = await pinnedMarker(db, chain, {});
          const open = before !== undefined && !isInRegistry(before) ? before : undefined;
          const { context } =
            open ??
            (await beginEpoch(
              db,
              {
                ...stream,
                tier,
                bits: 128,
                unitExponent,
                custodian: bytesOf(where.settings.custodian),
                epoch: number,
                blockNumber: marker.block.number,
                blockHash: bytesOf(marker.block.hash),
                ledgerPosition: marker.position,
                takenAt: await blockTime(chain, marker.block),
                previous: before?.context ?? new Uint8Array(32),
              },
              now,
            ));
          if (maker.halfway) throw new CustodyError('reserves/not-covered', 'The maker was ended halfway.');
          const record = sha256(context);
          return advanceEpoch(db, { context, now }, { state: 'made', record, reserves: 7n });
        },
        bundle: async (epoch) => {
          maker.asked.push(`bundle ${epoch.header.epoch}`);
          await recordBundle(db, { context: epoch.context, now }, sha256(sha256(epoch.context)));
        },
      };
      made = { registry, signers, proofQuorum, maker };
      const where: ProofRegistrySetup = {
        chain: chain.id,
        registry: fakeProofRegistry,
        codeHash: fakeProofRegistryCode,
        settings: fakeProofSettings,
        everySeconds: epochSeconds,
        termsOf: (asset) => (asset === chain.native ? { tier: 'plain', unitExponent: 0 } : undefined),
        ...setup,
      };
      return { registries: [where], quorum: proofQuorum, maker };
    },
  });
  invariant(made !== undefined, 'The bench made no proofs.');
  return { ...bench, ...made, [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose]() };
}
