import {
  type CheckpointSignRequest,
  type ControlSignRequest,
  type KeyRef,
  type LogCheckpointIntent,
  type ReserveIntent,
  type WalletControlIntent,
} from '@bulkhead/domain';
import { nobleHashes } from '@bulkhead/authority';
import { encodeHeader, type ReserveHeader } from '@bulkhead/proofs/header';
import { consistencyProof, emptyFrontier, extend, leafHash, rootOf } from '@bulkhead/tlog';
import { contextOfHeader } from '@bulkhead/vaults';
import * as registry from './registry.ts';
import type { World } from './world.ts';

type Kind<K extends ReserveIntent['kind']> = Extract<ReserveIntent, { readonly kind: K }>;
export type Commitment = Kind<'reserve-commitment'>;

const zeros = '0'.repeat(64);

/** The header of an epoch as an honest server makes it: each epoch ten blocks and a minute after the one before. */
export function headerOf(epoch: bigint, previous: string = zeros, own: Partial<ReserveHeader> = {}): string {
  const header: ReserveHeader = {
    tier: 'plain',
    bits: 128,
    registryChain: 1n,
    registry: bytesOf(registry.proofRegistry.slice(2)),
    custodian: bytesOf(registry.custodian),
    epoch,
    asset: registry.ether,
    unitExponent: 9,
    blockNumber: 1_000n + 10n * epoch,
    blockHash: new Uint8Array(32).fill(0xb1),
    ledgerPosition: 50n + epoch,
    takenAt: 1_799_000_000n + 60n * epoch,
    previous: bytesOf(previous),
    ...own,
  };
  return Buffer.from(encodeHeader(header)).toString('hex');
}

export function commitment(header: string, own: Partial<Commitment> = {}): Commitment {
  return {
    deployment: registry.deployment,
    kind: 'reserve-commitment',
    id: `rc_${contextOf(header).slice(0, 16)}`,
    chain: registry.mainChain,
    registry: registry.proofRegistry,
    header,
    record: '4e'.repeat(32),
    reserves: 1_000_000n,
    ...own,
  };
}

export function contextOf(header: string): string {
  return contextOfHeader(nobleHashes, header);
}

/** Headers of the first so many epochs, each naming the one before. */
export function headersUpTo(count: number, own: Partial<ReserveHeader> = {}): readonly string[] {
  const headers: string[] = [];
  for (let epoch = 1n; epoch <= BigInt(count); epoch++) {
    const before = headers.at(-1);
    headers.push(headerOf(epoch, before === undefined ? zeros : contextOf(before), own));
  }
  return headers;
}

export function reserveProof(context: string, own: Partial<Kind<'reserve-proof'>> = {}): Kind<'reserve-proof'> {
  return { ...about(context), kind: 'reserve-proof', id: 'rp_one', proof: '9a'.repeat(32), ...own };
}

export function statements(context: string, own: Partial<Kind<'balance-statements'>> = {}): Kind<'balance-statements'> {
  return { ...about(context), kind: 'balance-statements', id: 'bs_one', root: '7d'.repeat(32), count: 12n, ...own };
}

function about(context: string): Pick<Kind<'reserve-proof'>, 'deployment' | 'chain' | 'registry' | 'context'> {
  return { deployment: registry.deployment, chain: registry.mainChain, registry: registry.proofRegistry, context };
}

/** Asks for a commitment, and forgets the answer. */
export async function committed(world: World, header: string): Promise<void> {
  await world.core().signReserves({ intent: commitment(header) });
}

export function control(
  world: World,
  own: Partial<WalletControlIntent> = {},
  key: KeyRef & { readonly index: number } = { compartment: registry.compartments.first, index: 3 },
): ControlSignRequest & { readonly intent: WalletControlIntent } {
  const { compartment } = key;
  const intent: WalletControlIntent = {
    deployment: registry.deployment,
    kind: 'wallet-control',
    id: 'wc_one',
    chain: registry.mainChain,
    compartment,
    wallet: world.address(compartment, key.index),
    custodian: registry.custodian,
    context: contextOf(headerOf(1n)),
    ...own,
  };
  return { intent, key };
}

/** A log of so many leaves, each a number; another `salt` makes another log. */
export type TestLog = {
  head(size: number): { readonly size: bigint; readonly root: string };
  proof(from: number, to: number): Promise<readonly string[]>;
};

export function testLog(leaves: number, salt = 0): TestLog {
  const nodes = new Map<string, Uint8Array>();
  const hashes = Array.from({ length: leaves }, (_, at) => leafHash(Uint8Array.of(salt, at)));
  extend(emptyFrontier, hashes, ({ level, index, hash }) => nodes.set(`${level}/${index}`, hash));
  return {
    head: (size) => {
      const root = rootOf(extend(emptyFrontier, hashes.slice(0, size)));
      return { size: BigInt(size), root: Buffer.from(root).toString('hex') };
    },
    async proof(from, to) {
      const path = await consistencyProof(
        async (level, index) => nodes.get(`${level}/${index}`) ?? new Uint8Array(),
        from,
        to,
      );
      return path.map((hash) => Buffer.from(hash).toString('hex'));
    },
  };
}

/** The honest request for the head of so many leaves, after one of so many. */
export async function checkpoint(
  log: TestLog,
  { from, to }: { readonly from: number; readonly to: number },
  own: Partial<LogCheckpointIntent> = {},
): Promise<CheckpointSignRequest> {
  const intent: LogCheckpointIntent = {
    deployment: registry.deployment,
    kind: 'log-checkpoint',
    id: `lc_${to}`,
    origin: registry.logOrigin,
    ...log.head(to),
    ...own,
  };
  return { intent, oldSize: BigInt(from), proof: await log.proof(from, to) };
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
