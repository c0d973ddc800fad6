import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Operations, Proof } from '@bulkhead/api';
import { addressCertificateOf, type Custody, notFound, proofActView } from '@bulkhead/custody';
import { type AssetId, checksumAddress, CustodyError, parseAddress, parseHash, type Refused } from '@bulkhead/domain';
import { encodeHeader, manifestName, readManifest } from '@bulkhead/proofs';
import {
  type ArchiveEntry,
  archived,
  archives,
  epochFolders,
  epochs,
  type PinnedIn,
  stateOf,
  type StoredEpoch,
} from '@bulkhead/reserves';
import { publicPath } from '../public-reserves.ts';
import { pageOf } from './paging.ts';

export type ProofOperations = Pick<
  Operations,
  'listProofs' | 'getProof' | 'getClientProof' | 'getSegregationProof' | 'getAddressCertificate'
>;

type Asked = { readonly clientId: string; readonly asset: AssetId; readonly epoch?: bigint };

/** Epochs as they are stored, and what single clients are given of them, from the folder of the maker. */
export function proofOperations(custody: Custody, folder: string): ProofOperations {
  const { db } = custody;
  return {
    listProofs: async (_call, { asset, ...query }) =>
      pageOf(query, {
        read: async (after, limit) => {
          const before = after === null ? {} : { before: bytesOf(after) };
          const found = await epochs(db, { ...(asset === undefined ? {} : { asset }), ...before, limit });
          return Promise.all(found.map((epoch) => proofOf(custody, epoch)));
        },
        place: ({ context }) => context.slice(2),
        view: (proof) => proof,
      }),
    getProof: async (_call, { asset, epoch }) => {
      const found = await newestOf(custody, { asset, epoch });
      if (found === undefined) return notFound(`epoch ${epoch} of`, asset);
      const { shown } = epochFolders(folder, found.header);
      return {
        ...(await proofOf(custody, found)),
        header: hexOf(encodeHeader(found.header)),
        manifest: found.bundle === undefined ? null : word(found.bundle.manifest),
        files: found.bundle === undefined ? [] : filesIn(shown, found),
      };
    },
    getClientProof: async (_call, asked) => {
      const found = await forClient(custody, asked);
      if ('status' in found) return found;
      const { kept } = epochFolders(folder, found.header);
      const own = archiveOf(join(kept, archives.packages), asked.clientId);
      const stated = found.bundle === undefined ? [] : archiveOf(join(kept, archives.statements), asked.clientId);
      const claims = own.flatMap(({ compartment, kind, bytes }) => {
        if (kind === 'suspense') return [];
        const statement = stated.find((one) => one.compartment === compartment && one.kind === kind);
        return [
          {
            compartment,
            kind,
            package: base64(bytes),
            statement: statement === undefined ? null : base64(statement.bytes),
          },
        ];
      });
      return { ...ofEpoch(asked, found), claims };
    },
    getSegregationProof: async (_call, asked) => {
      const found = await forClient(custody, asked);
      if ('status' in found) return found;
      const { kept } = epochFolders(folder, found.header);
      const own = found.bundle === undefined ? [] : archiveOf(join(kept, archives.segregation), asked.clientId);
      const compartments = own.map(({ compartment, bytes }) => ({ compartment, proof: base64(bytes) }));
      return { ...ofEpoch(asked, found), compartments };
    },
    getAddressCertificate: async (_call, { address, chain }) => {
      const found = await addressCertificateOf(custody, { address: parseAddress(address), ...(chain && { chain }) });
      return found ?? notFound('certificate of an address', address);
    },
  };
}

function ofEpoch({ clientId }: Asked, { header, context }: StoredEpoch) {
  return { clientId, asset: header.asset, epoch: header.epoch.toString(), context: word(context) };
}

/** The epoch that a client asked for, or the newest that the registry has. */
async function forClient({ db }: Custody, { asset, epoch }: Asked): Promise<StoredEpoch | Refused> {
  const [found] = (await epochs(db, { asset, ...(epoch === undefined ? {} : { epoch }), limit: newestLooked })).filter(
    ({ committed }) => committed !== undefined,
  );
  return (
    found ?? notFound(epoch === undefined ? 'epoch in the registry of' : `epoch ${epoch} in the registry of`, asset)
  );
}

/** One that is under way, those that lapsed, and behind them one that the registry has. */
const newestLooked = 20;

/** Of several under one number the one that was not abandoned. */
async function newestOf(
  { db }: Custody,
  of: { readonly asset: AssetId; readonly epoch: bigint },
): Promise<StoredEpoch | undefined> {
  const found = await epochs(db, of);
  return found.find(({ abandoned }) => abandoned === undefined) ?? found[0];
}

async function proofOf({ db }: Custody, epoch: StoredEpoch): Promise<Proof> {
  const { header, context, made, abandoned } = epoch;
  const kind = epoch.committed === undefined ? 'commitment' : 'proof';
  const act = abandoned === undefined ? await proofActView(db, { kind, context: hexOf(context) }) : null;
  return {
    context: word(context),
    asset: header.asset,
    epoch: header.epoch.toString(),
    chain: `eip155:${header.registryChain}`,
    registry: checksumAddress(parseAddress(`0x${hexOf(header.registry)}`)),
    tier: header.tier,
    unitExponent: header.unitExponent,
    block: { number: header.blockNumber.toString(), hash: word(header.blockHash) },
    ledgerPosition: header.ledgerPosition.toString(),
    takenAt: new Date(Number(header.takenAt) * 1_000).toISOString(),
    record: made === undefined ? null : word(made.record),
    reserves: made === undefined ? null : made.reserves.toString(),
    state: stateOf(epoch),
    reason: abandoned?.reason ?? act?.reason ?? null,
    committed: pinned(epoch.committed),
    lapsed: pinned(epoch.lapsed),
    drawn: pinned(epoch.drawn),
    proven: pinned(epoch.proven),
    createdAt: epoch.begunAt.toISOString(),
  };
}

function pinned(step: PinnedIn | undefined): Proof['committed'] {
  return step === undefined ? null : { transactionHash: step.transaction, blockNumber: step.block.toString() };
}

function filesIn(shown: string, { header }: StoredEpoch) {
  const manifest = readManifest(readShown(join(shown, manifestName)));
  return [...(manifest?.files ?? [])].map(([name, digest]) => ({
    name,
    sha256: word(digest),
    path: publicPath(header.asset, header.epoch, name),
  }));
}

function readShown(path: string): Uint8Array {
  try {
    return Uint8Array.from(readFileSync(path));
  } catch (cause) {
    const message = `${path} cannot be read: bring the folder of the process that made the epoch here.`;
    throw new CustodyError('reserves/damaged-work', message, { cause });
  }
}

function archiveOf(path: string, clientId: string): readonly ArchiveEntry[] {
  return archived(path, new TextEncoder().encode(clientId));
}

function bytesOf(context: string): Uint8Array {
  return Uint8Array.from(Buffer.from(parseHash(`0x${context}`).slice(2), 'hex'));
}

function word(bytes: Uint8Array): `0x${string}` {
  return `0x${hexOf(bytes)}`;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
