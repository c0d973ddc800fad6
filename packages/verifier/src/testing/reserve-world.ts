import { proofRegistry } from '@bulkhead/contracts';
import {
  type Address,
  type AssetId,
  type Compartment,
  parseAssetId,
  parseChainId,
  parseCompartment,
} from '@bulkhead/domain';
import {
  type Claim,
  contextOf,
  epochSecrets,
  fastBlockHasher,
  makePlainBook,
  makeSumTree,
  plainPackage,
  type ReserveHeader,
  type Tier,
} from '@bulkhead/proofs';
import {
  bytesOf,
  callData,
  heartbeatDomain,
  heartbeatForm,
  type Hex,
  hexOf,
  signerSetCalls,
  typedDigest,
} from '@bulkhead/vaults';
import { hashes, startVaultChain, type VaultChain } from '@bulkhead/vaults/testing';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { encodeAbiParameters, encodeFunctionData, hashTypedData, keccak256, parseAbi } from 'viem';
import type { PinnedRegistry } from '../index.ts';

/** The one asset and compartment of this world, and its clients. */
export const asset: AssetId = parseAssetId('eip155:31337/slip44:60');
export const compartment: Compartment = parseCompartment(10_000);
/** Seconds without an epoch after which the registry calls the asset stale. */
export const cadence = 3_600;

const claims: readonly Claim[] = [claimOf('ada', 70n), claimOf('bob', 30n)];

export function claimOf(name: string, amount: bigint): Claim {
  return { kind: 'client', holder: utf8ToBytes(name), amount };
}

export type CommittedEpoch = {
  readonly header: ReserveHeader;
  /** By the name of the client. */
  readonly packages: ReadonlyMap<string, Uint8Array>;
};

/** A node with a signer set and a registry, in which each window is one epoch. */
export type ReserveWorld = AsyncDisposable & {
  readonly chain: VaultChain;
  readonly registry: Required<PinnedRegistry>;
  /** Commits an epoch in which the pool owes 100 and holds `reserves`, and makes the packages of its clients. */
  commit(epoch: bigint, reserves: bigint): Promise<CommittedEpoch>;
  /** The same, but it came too late, and the registry has it as lapsed. */
  lapse(epoch: bigint, reserves: bigint): Promise<CommittedEpoch>;
  /** A header about a block of now. */
  header(of: HeaderWish): Promise<ReserveHeader>;
  /** Has the quorum commit what a header and a record say. */
  pin(header: ReserveHeader, record: Uint8Array, reserves: bigint): Promise<void>;
  /** Draws the epoch and says that it was proven, by files with this digest. */
  prove(epoch: Pick<CommittedEpoch, 'header'>, digest?: Uint8Array): Promise<void>;
  /** A quorum shows that it is there: it signs the hash of a block of now, and what it states, which is nothing without that. */
  heartbeat(statement?: Uint8Array): Promise<void>;
  /** Mines so many blocks that all of this is final. */
  settle(): Promise<void>;
};

const abi = parseAbi([
  'function commit((string asset,uint64 epoch,uint8 tier,uint8 bits,uint8 unitExponent,uint64 blockNumber,bytes32 blockHash,uint64 ledgerPosition,uint64 takenAt) header, bytes32 record, uint128 reserves, bytes signatures)',
  'function lapse((string asset,uint64 epoch,uint8 tier,uint8 bits,uint8 unitExponent,uint64 blockNumber,bytes32 blockHash,uint64 ledgerPosition,uint64 takenAt) header, bytes32 record, uint128 reserves, bytes signatures)',
  'function draw(bytes32 asset, uint256 number) returns (uint64)',
  'function prove(bytes32 asset, uint256 number, bytes32 proof, bytes signatures)',
]);
const hashOfAsset = (of: AssetId): Hex => keccak256(hexOf(utf8ToBytes(of)));
const commitWithin = 3_600;
const custodian = new Uint8Array(32).fill(0xcc);
const bundle = bytesOf(keccak256('0xb0'));

/** Which epoch of which asset a header is wanted of. */
export type HeaderWish = { readonly epoch: bigint; readonly asset?: AssetId; readonly tier?: Tier };

const forms = {
  ReserveCommitment: [
    { name: 'context', type: 'bytes32' },
    { name: 'record', type: 'bytes32' },
    { name: 'reserves', type: 'uint128' },
  ],
  ReserveProof: [
    { name: 'context', type: 'bytes32' },
    { name: 'proof', type: 'bytes32' },
  ],
} as const;

export async function openReserveWorld(): Promise<ReserveWorld> {
  const chain = await startVaultChain();
  const address = await chain.node.deploy(
    chain.bank,
    `${proofRegistry.bytecode}${settingsOf(chain.signerSet).slice(2)}`,
  );
  const code = await chain.node.call('eth_getCode', address, 'latest');
  const registry = { chain: 31_337n, address: bytesOf(address), codeHash: bytesOf(keccak256(hexIn(code))) };
  const domain = {
    name: 'Bulkhead Proof Registry',
    version: '1',
    chainId: Number(registry.chain),
    verifyingContract: address,
  };
  const previous = new Map<AssetId, Uint8Array>();
  let lapses = 0n;
  const send = async (data: Hex): Promise<void> => {
    const { succeeded, output } = await chain.send(address, data);
    if (!succeeded) throw new Error(`The registry refuses: ${output}`);
  };
  const header = async (wish: HeaderWish): Promise<ReserveHeader> =>
    await headerNow(chain, wish, {
      registry,
      previous: previous.get(wish.asset ?? asset) ?? new Uint8Array(32),
    });
  const say = async (
    functionName: 'commit' | 'lapse',
    of: ReserveHeader,
    { record, reserves }: { readonly record: Uint8Array; readonly reserves: bigint },
  ): Promise<void> => {
    const message = { context: hexOf(contextOf(of)), record: hexOf(record), reserves };
    const digest = hashTypedData({ domain, types: forms, primaryType: 'ReserveCommitment', message });
    const signatures = await chain.quorum(bytesOf(digest));
    const fields = { ...of, tier: of.tier === 'plain' ? 1 : 2, blockHash: hexOf(of.blockHash) };
    const args = [fields, message.record, reserves, signatures] as const;
    await send(encodeFunctionData({ abi, functionName, args }));
    previous.set(of.asset, contextOf(of));
  };
  const pooled = async (epoch: bigint, reserves: bigint): Promise<CommittedEpoch & { readonly record: Uint8Array }> => {
    const of = await header({ epoch });
    const context = contextOf(of);
    const secrets = epochSecrets(new Uint8Array(32).fill(9), context);
    const work = { header: of, context, hasher: fastBlockHasher(), secrets };
    const tree = makeSumTree(work, { compartment, claims, count: claims.length });
    const plain = makePlainBook(work, [{ tree, reserves }]);
    const packages = claims.map(
      (claim, at) => [new TextDecoder().decode(claim.holder), plainPackage(work, plain, { tree, claim, at })] as const,
    );
    return { header: of, packages: new Map(packages), record: plain.book.record };
  };
  return {
    chain,
    registry,
    header,
    pin: async (of, record, reserves) => await say('commit', of, { record, reserves }),
    commit: async (epoch, reserves) => {
      const { record, ...made } = await pooled(epoch, reserves);
      await say('commit', made.header, { record, reserves });
      return made;
    },
    lapse: async (epoch, reserves) => {
      const { record, ...made } = await pooled(epoch, reserves);
      await chain.node.call('evm_increaseTime', commitWithin + 1);
      await say('lapse', made.header, { record, reserves });
      lapses += 1n;
      return made;
    },
    prove: async ({ header: of }, proof = bundle) => {
      await chain.node.mine(4);
      const [key, window] = [hashOfAsset(of.asset), of.epoch - 1n - lapses];
      await send(encodeFunctionData({ abi, functionName: 'draw', args: [key, window] }));
      const message = { context: hexOf(contextOf(of)), proof: hexOf(proof) };
      const digest = hashTypedData({ domain, types: forms, primaryType: 'ReserveProof', message });
      const signatures = await chain.quorum(bytesOf(digest));
      const args = [key, window, message.proof, signatures] as const;
      await send(encodeFunctionData({ abi, functionName: 'prove', args }));
    },
    heartbeat: async (statement = new Uint8Array(32)) => {
      const { number, hash } = await newestBlock(chain);
      const beat = { blockNumber: number, blockHash: hash, statement: hexOf(statement) };
      const form = { form: heartbeatForm, message: beat };
      const digest = typedDigest(hashes, heartbeatDomain(parseChainId('eip155:31337'), chain.signerSet), form);
      const signatures = await chain.quorum(digest);
      const { succeeded } = await chain.send(
        chain.signerSet,
        callData(hashes, signerSetCalls.heartbeat, { beat, signatures }),
      );
      if (!succeeded) throw new Error('The signer set refuses the heartbeat.');
    },
    settle: async () => await chain.node.mine(80),
    [Symbol.asyncDispose]: async () => await chain[Symbol.asyncDispose](),
  };
}

/** Arguments of the registry's constructor. */
function settingsOf(signers: Address): Hex {
  const numbers = ['window', 'drawDelay', 'commitWithin', 'cadence', 'proveWithin'] as const;
  const components = [
    { type: 'address', name: 'signers' },
    { type: 'bytes32', name: 'custodian' },
    ...numbers.map((name) => ({ type: 'uint32', name }) as const),
  ] as const;
  const value = {
    signers,
    custodian: hexOf(custodian),
    window: 1,
    drawDelay: 2,
    commitWithin,
    cadence,
    proveWithin: 3_600,
  };
  return encodeAbiParameters([{ type: 'tuple', components }], [value]);
}

async function headerNow(
  chain: VaultChain,
  wish: HeaderWish,
  of: { readonly previous: Uint8Array; readonly registry: PinnedRegistry },
): Promise<ReserveHeader> {
  await chain.node.call('evm_increaseTime', 60);
  await chain.node.mine(3);
  const { number, hash, timestamp } = await newestBlock(chain);
  const tier = wish.tier ?? 'plain';
  return {
    tier,
    bits: tier === 'plain' ? 128 : 64,
    registryChain: of.registry.chain,
    registry: of.registry.address,
    custodian,
    epoch: wish.epoch,
    asset: wish.asset ?? asset,
    unitExponent: 0,
    blockNumber: number,
    blockHash: bytesOf(hash),
    ledgerPosition: 100n * wish.epoch,
    takenAt: timestamp,
    previous: of.previous,
  };
}

async function newestBlock({
  node,
}: VaultChain): Promise<{ readonly number: bigint; readonly hash: Hex; readonly timestamp: bigint }> {
  const block = await node.call('eth_getBlockByNumber', 'latest', false);
  const field = (name: string): Hex =>
    hexIn(
      typeof block === 'object' && block !== null ? Object.entries(block).find(([key]) => key === name)?.[1] : block,
    );
  return { number: BigInt(field('number')), hash: field('hash'), timestamp: BigInt(field('timestamp')) };
}

function hexIn(value: unknown): Hex {
  if (typeof value !== 'string' || !value.startsWith('0x')) {
    throw new Error('The node answered something that is no hex.');
  }
  return `0x${value.slice(2)}`;
}
