import type { CommitmentHeader, CommittedEpoch, KnownEpochs } from '@bulkhead/authority';
import { CustodyError, type LogCheckpointIntent, type ProofIntent, type ReserveIntent } from '@bulkhead/domain';
import { decodeHeader } from '@bulkhead/proofs/header';
import { contextOfHeader, type Keccak } from '@bulkhead/vaults';

/** A header that was read, with the context that follows from its bytes. */
export type ReadHeader = CommitmentHeader & { readonly context: string };

/** The newest checkpoint of a log that was signed, and the record of its grant once that is written. */
export type SignedTree = { readonly size: bigint; readonly root: string; readonly sequence?: bigint };

/**
 * What was shown to others: which context each epoch of an asset has, which statements belong to it, and how far the audit log was
 * signed. For ever, as with nonces.
 */
export type ProofGrants = {
  known(intent: ReserveIntent, header: ReadHeader): KnownEpochs;
  committed(context: string): CommittedEpoch | undefined;
  statements(context: string): { readonly root: string; readonly count: bigint } | undefined;
  /** What was signed last of a log, by its name. */
  tree(origin: string): SignedTree | undefined;
  /** @throws CustodyError `signer/intent-spent` where the id was granted with another content */
  assertSame(intent: ProofIntent, digest: string): void;
  /** Twice is the same as once. */
  bind(granted: ProofGrant): void;
};

export type ProofGrant = {
  readonly intent: ProofIntent;
  /** SHA-256 of the intent's canonical bytes, hex. */
  readonly digest: string;
  /** Of a commitment. */
  readonly header?: ReadHeader;
  /** Of a record that is written. */
  readonly sequence?: bigint;
};

type Held = {
  readonly digests: Map<string, string>;
  readonly epochs: Map<string, CommittedEpoch>;
  readonly newest: Map<string, CommittedEpoch>;
  readonly contexts: Map<string, CommittedEpoch>;
  readonly statements: Map<string, { readonly root: string; readonly count: bigint }>;
  readonly trees: Map<string, SignedTree>;
};

export function openProofGrants(): ProofGrants {
  const held: Held = {
    digests: new Map(),
    epochs: new Map(),
    newest: new Map(),
    contexts: new Map(),
    statements: new Map(),
    trees: new Map(),
  };
  return {
    known: (intent, header) => knownOf(held, streamOf(intent, header), header.epoch),
    committed: (context) => held.contexts.get(context),
    statements: (context) => held.statements.get(context),
    tree: (origin) => held.trees.get(origin),
    assertSame({ id }, digest) {
      const before = held.digests.get(id);
      if (before === undefined || before === digest) return;
      throw new CustodyError(
        'signer/intent-spent',
        `Intent ${id} was granted before with the digest ${before}, and this one is ${digest}. One intent has one effect: ask for a new one.`,
        { details: { intent: id } },
      );
    },
    bind: (granted) => bind(held, granted),
  };
}

function knownOf({ epochs, newest }: Held, stream: string, epoch: bigint): KnownEpochs {
  const [last, same, next] = [
    newest.get(stream),
    epochs.get(placeOf(stream, epoch)),
    epochs.get(placeOf(stream, epoch + 1n)),
  ];
  return {
    ...(last === undefined ? {} : { newest: last }),
    ...(same === undefined ? {} : { same }),
    ...(next === undefined ? {} : { next }),
  };
}

function bind(held: Held, { intent, digest, header, sequence }: ProofGrant): void {
  held.digests.set(intent.id, digest);
  switch (intent.kind) {
    case 'reserve-commitment':
      if (header !== undefined) bindEpoch(held, intent, header);
      return;
    case 'balance-statements':
      held.statements.set(intent.context, { root: intent.root, count: intent.count });
      return;
    case 'log-checkpoint':
      bindTree(held, intent, sequence);
      return;
    // The first proof of an epoch that reaches the chain counts there, and a wallet may say the same as often as it is asked.
    case 'reserve-proof':
    case 'wallet-control':
      return;
  }
}

function bindEpoch(
  { epochs, newest, contexts }: Held,
  intent: Extract<ReserveIntent, { readonly kind: 'reserve-commitment' }>,
  header: ReadHeader,
): void {
  const { chain, record, reserves } = intent;
  const epoch: CommittedEpoch = { ...header, chain, record, reserves };
  const stream = streamOf(intent, header);
  epochs.set(placeOf(stream, header.epoch), epoch);
  contexts.set(header.context, epoch);
  const before = newest.get(stream);
  if (before === undefined || before.epoch < header.epoch) newest.set(stream, epoch);
}

function bindTree({ trees }: Held, { origin, size, root }: LogCheckpointIntent, sequence: bigint | undefined): void {
  const before = trees.get(origin);
  if (before !== undefined && before.size > size) return;
  const known = sequence ?? (before?.size === size ? before.sequence : undefined);
  trees.set(origin, { size, root, ...(known === undefined ? {} : { sequence: known }) });
}

function streamOf({ chain, registry }: ReserveIntent, { asset }: ReadHeader): string {
  return `${chain} ${registry} ${asset}`;
}

function placeOf(stream: string, epoch: bigint): string {
  return `${stream} ${epoch}`;
}

/** Undefined for bytes that are no header: the code that proofs are made with reads them. */
export function readHeader(hashes: Keccak, header: string): ReadHeader | undefined {
  const read = decodeHeader(Buffer.from(header, 'hex'));
  if (read === undefined) return undefined;
  const { registryChain, epoch, asset, unitExponent, blockNumber, ledgerPosition, takenAt } = read;
  return {
    registryChain,
    epoch,
    asset,
    unitExponent,
    blockNumber,
    ledgerPosition,
    takenAt,
    registry: hexOf(read.registry),
    custodian: hexOf(read.custodian),
    previous: hexOf(read.previous),
    context: contextOfHeader(hashes, header),
  };
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
