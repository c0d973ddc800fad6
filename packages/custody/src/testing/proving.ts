import { CustodyError, invariant } from '@bulkhead/domain';
import {
  fakeMembers,
  FakeProofQuorum,
  fakeProofRegistry,
  fakeProofRegistryCode,
  fakeProofSettings,
  ProofProgram,
} from '@bulkhead/fakes';
import { advanceEpoch, recordBundle, type StoredEpoch } from '@bulkhead/reserves';
import { sha256 } from '@noble/hashes/sha2.js';
import type { EpochMaker, ProofRegistrySetup } from '../proof-setup.ts';
import type { BenchOptions } from './bench.ts';
import { openVaulting, type VaultBench } from './vaulting.ts';

/** Makes nothing but what is stored of it, and says what it was asked for. */
export type CountingMaker = EpochMaker & {
  readonly asked: string[];
  /** What a compartment is said to lack; undefined while books and chain agree. */
  lacking: string | undefined;
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
      const digest = (word: string, { context }: StoredEpoch): Uint8Array =>
        sha256(Uint8Array.from([...Buffer.from(word), ...context]));
      const maker: CountingMaker = {
        asked: [],
        lacking: undefined,
        meanwhile: async () => undefined,
        make: async (epoch) => {
          maker.asked.push(`make ${epoch.header.epoch}`);
          await maker.meanwhile();
          if (maker.lacking !== undefined) throw new CustodyError('reserves/insolvent', maker.lacking);
          const record = digest('record', epoch);
          await advanceEpoch(db, { context: epoch.context, now }, { state: 'made', record, reserves: 7n });
        },
        bundle: async (epoch) => {
          maker.asked.push(`bundle ${epoch.header.epoch}`);
          await recordBundle(db, { context: epoch.context, now }, digest('manifest', epoch));
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
