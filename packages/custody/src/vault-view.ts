import { checksumAddress, invariant } from '@bulkhead/domain';
import { date, type Queries, type Row, text } from '@bulkhead/postgres';
import {
  agreementData,
  agreementDigest,
  hexOf,
  initialPolicyText,
  type InitialPolicyText,
  receiptData,
  receiptDigest,
  type TypedData,
  vaultConfigText,
  type VaultConfigText,
} from '@bulkhead/vaults';
import type { Custody } from './custody.ts';
import { hashes } from './keccak.ts';
import { vaultHistory } from './vault-event.ts';
import { type Vault, vaultColumns, vaultOf, type VaultStep } from './vault-row.ts';
import type { QueuedChange, VaultState } from './vault-state.ts';

/** What a client key has to sign: the typed data, and the digest that it has. */
export type ToSign = { readonly digest: string; readonly typedData: TypedData };

export type QueuedView = {
  readonly change: string;
  readonly kind: QueuedChange['kind'];
  readonly readyAt: string;
  readonly token: string | null;
  readonly cap: string | null;
  readonly unlisted: boolean | null;
  readonly to: string | null;
  readonly role: 'client' | 'exit' | null;
  readonly newKey: string | null;
};

export type VaultView = {
  readonly id: string;
  readonly chain: string;
  readonly compartment: number;
  readonly clientId: string | null;
  readonly state: VaultStep;
  readonly walletId: string | null;
  /** Null until the client has acknowledged the certificate. */
  readonly address: string | null;
  readonly configHash: string;
  readonly configuration: VaultConfigText;
  readonly policy: InitialPolicyText;
  /** What is missing for the next step; null where it is there. */
  readonly agreement: ToSign | null;
  /** The client key's signature over both, as the registry of the signers takes it with `0x` in front. */
  readonly agreementSignature: string | null;
  readonly receipt: ToSign | null;
  /** The bytes that the client keeps: with them and the chain the client can deploy and exit alone. */
  readonly certificate: string | null;
  readonly certificateDigest: string | null;
  readonly backedUpAt: string | null;
  /** As of the final block. Before the vault is deployed it is what was agreed from the start. */
  readonly onChain: {
    readonly asOf: { readonly number: string; readonly hash: string } | null;
    readonly deployedIn: { readonly number: string; readonly hash: string } | null;
    readonly policyOpened: boolean;
    readonly destinations: readonly { readonly address: string; readonly activeFrom: string | null }[];
    readonly limits: readonly { readonly token: string; readonly cap: string }[];
    readonly unlistedLimits: readonly { readonly token: string; readonly cap: string }[];
    readonly queue: readonly QueuedView[];
    readonly exit: 'none' | 'requested' | 'open';
    readonly exitReadyAt: string | null;
    readonly exitDestination: string;
    readonly clientKey: string;
    readonly exitKey: string;
    readonly pausedUntil: { readonly quorum: string | null; readonly client: string | null };
  };
  readonly requestedBy: string;
  readonly createdAt: string;
  readonly updatedAt: string;
};

export type VaultFilter = {
  readonly id?: string;
  readonly clientId?: string;
  readonly compartment?: number;
  readonly chain?: string;
  readonly address?: string;
  readonly after: string | null;
  readonly limit: number;
};

export async function vaultViews(custody: Custody, db: Queries, filter: VaultFilter): Promise<readonly VaultView[]> {
  const rows = await db.query(
    `select ${vaultColumns} from custody.vault
     where ($1::text is null or id = $1) and ($2::text is null or client = $2) and ($3::bigint is null or compartment = $3)
       and ($4::text is null or chain = $4) and ($5::text is null or (address = $5 and step = 'issued')) and ($6::text is null or id > $6)
     order by id limit $7`,
    [
      filter.id ?? null,
      filter.clientId ?? null,
      filter.compartment ?? null,
      filter.chain ?? null,
      filter.address ?? null,
      filter.after,
      filter.limit,
    ],
  );
  const views: VaultView[] = [];
  for (const row of rows) views.push(await viewOf(custody, db, row));
  return views;
}

export async function vaultView(custody: Custody, db: Queries, id: string): Promise<VaultView> {
  const [view] = await vaultViews(custody, db, { id, after: null, limit: 1 });
  invariant(view !== undefined, 'A vault that was just stored is not there.', { id });
  return view;
}

async function viewOf(custody: Custody, db: Queries, row: Row): Promise<VaultView> {
  const vault = vaultOf(row);
  const { state, created, final } = await vaultHistory(custody, db, vault);
  const block = (ref: typeof final): { number: string; hash: string } | null =>
    ref === undefined ? null : { number: ref.number.toString(), hash: ref.hash };
  return {
    id: vault.id,
    chain: vault.chain,
    compartment: vault.compartment,
    clientId: vault.client ?? null,
    state: vault.step,
    walletId: vault.wallet ?? null,
    address: vault.step === 'issued' ? checksumAddress(vault.address) : null,
    configHash: vault.configHash,
    configuration: vaultConfigText(vault.terms.config),
    policy: initialPolicyText(vault.terms.policy),
    agreement: agreementOf(vault),
    agreementSignature: vault.agreement ?? null,
    receipt: receiptOf(vault),
    certificate: vault.certificateText ?? null,
    certificateDigest: vault.certificateDigest ?? null,
    backedUpAt: vault.backedUpAt?.toISOString() ?? null,
    onChain: { asOf: block(final), deployedIn: block(created), ...stateView(state) },
    requestedBy: text(row, 'requested_by'),
    createdAt: date(row, 'created_at').toISOString(),
    updatedAt: date(row, 'updated_at').toISOString(),
  };
}

function agreementOf({ step, address, terms }: Vault): ToSign | null {
  if (step !== 'drafted') return null;
  return { digest: hexOf(agreementDigest(hashes, address, terms)), typedData: agreementData(address, terms) };
}

function receiptOf({ step, address, certificateDigest }: Vault): ToSign | null {
  if (step !== 'certified' || certificateDigest === undefined) return null;
  return {
    digest: hexOf(receiptDigest(hashes, address, certificateDigest)),
    typedData: receiptData(address, certificateDigest),
  };
}

function stateView(state: VaultState): Omit<VaultView['onChain'], 'asOf' | 'deployedIn'> {
  const caps = (limits: ReadonlyMap<string, bigint>): { token: string; cap: string }[] =>
    [...limits].map(([token, cap]) => ({ token, cap: cap.toString() }));
  const { exitReadyAt, pausedUntil } = state;
  return {
    policyOpened: state.policyOpened,
    destinations: [...state.destinations].map(([address, from]) => ({
      address: checksumAddress(address),
      activeFrom: from?.toString() ?? null,
    })),
    limits: caps(state.limits),
    unlistedLimits: caps(state.unlisted),
    queue: state.queue.map(queuedView),
    exit: exitReadyAt === undefined ? 'none' : exitReadyAt === 0n ? 'open' : 'requested',
    exitReadyAt: exitReadyAt?.toString() ?? null,
    exitDestination: checksumAddress(state.exitDestination),
    clientKey: state.clientKey,
    exitKey: state.exitKey,
    pausedUntil: { quorum: pausedUntil.quorum?.toString() ?? null, client: pausedUntil.client?.toString() ?? null },
  };
}

function queuedView(item: QueuedChange): QueuedView {
  const none = { token: null, cap: null, unlisted: null, to: null, role: null, newKey: null };
  const common = { ...none, change: item.change, kind: item.kind, readyAt: item.readyAt.toString() };
  switch (item.kind) {
    case 'limit':
      return { ...common, token: item.token, cap: item.cap.toString(), unlisted: item.unlisted };
    case 'exit-destination':
      return { ...common, to: checksumAddress(item.to) };
    case 'key':
      return { ...common, role: item.role, newKey: item.newKey };
  }
}
