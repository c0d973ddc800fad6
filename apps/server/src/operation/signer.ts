import type { Operations, RegistryChangeDetail, SignerView } from '@bulkhead/api';
import { listDigest, listText, nobleHashes } from '@bulkhead/authority';
import {
  addressCertificate,
  approveRegistryChange,
  countedSignerLogView,
  type Custody,
  heartbeatClock,
  heartbeatViews,
  notFound,
  proposeRegistryChange,
  type RegistryChangeView,
  registryChangeText,
  registryChangeViews,
  signerRecordViews,
} from '@bulkhead/custody';
import { invariant, parseChainId, type SignerStatus } from '@bulkhead/domain';
import type { ReachedSigners } from '../reached-signer.ts';
import { troublesOf } from '../signer-condition.ts';
import { quorumViews, type Standing, standingsOf, standingView } from '../signer-standing.ts';
import { reachedNow } from '../vaults.ts';
import { intentView } from './intent-view.ts';
import { pageOf, position } from './paging.ts';

export type SignerOperations = Pick<
  Operations,
  | 'getSigner'
  | 'listHeartbeats'
  | 'listSignerRecords'
  | 'listRegistryChanges'
  | 'getRegistryChange'
  | 'requestRegistryChange'
  | 'approveRegistryChange'
  | 'certifyWallet'
>;

type Beside = { readonly reached: ReachedSigners; readonly approvalPage: string | undefined };

/** The process that signs: what it is, what it decided, and who may do what by its registry. */
export function signerOperations(custody: Custody, { reached, approvalPage }: Beside): SignerOperations {
  const { db } = custody;
  const detail = async (change: RegistryChangeView): Promise<RegistryChangeDetail> => {
    const texts = await registryChangeText(db, change.id);
    invariant(texts !== undefined, 'A registry change that is stored has no text.', { id: change.id });
    const { list, intent } = texts;
    const view = intentView(intent, approvalPage, { list });
    return { ...change, list, intent: view };
  };
  return {
    getSigner: async () => {
      const standings = await standingsOf(reached);
      return {
        ...statusView(standings[0]),
        stored: await countedSignerLogView(db),
        signers: standings.map((one) => standingView(one, standings)),
        quorums: await Promise.all(
          quorumViews(await reachedNow(custody, reached), standings).map(async (one) => withHeartbeat(custody, one)),
        ),
      };
    },
    listHeartbeats: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => heartbeatViews(db, { ...query, after, limit }),
        place: ({ id }) => id,
        view: (heartbeat) => heartbeat,
      }),
    listSignerRecords: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) =>
          signerRecordViews(db, { after: after === null ? null : position(after).toString(), limit }),
        place: ({ sequence }) => sequence,
        view: (record) => record,
      }),
    listRegistryChanges: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => registryChangeViews(db, { ...query, after, limit }),
        place: ({ id }) => id,
        view: (change) => change,
      }),
    getRegistryChange: async (_call, { registryChangeId: id }) => {
      const [change] = await registryChangeViews(db, { id, after: null, limit: 1 });
      return change === undefined ? notFound('registry change', id) : detail(change);
    },
    requestRegistryChange: async (call, { kind, items }) => {
      const list = listText(items);
      const listed = { list, listDigest: listDigest(nobleHashes, list), items: items.length };
      const { outcome, ...rest } = await proposeRegistryChange(custody, call, { kind, ...listed });
      if (outcome.status !== 'done') return { ...rest, outcome };
      return { ...rest, outcome: { status: 'done', view: await detail(outcome.view) } };
    },
    approveRegistryChange: (call, { registryChangeId: id, approval }) =>
      approveRegistryChange(custody, call, { id, approval }),
    certifyWallet: (call, { walletId }) => addressCertificate(custody, call, walletId),
  };
}

type QuorumView = SignerView['quorums'][number];

async function withHeartbeat(custody: Custody, quorum: Omit<QuorumView, 'heartbeat'>): Promise<QuorumView> {
  const clock = await heartbeatClock(custody, parseChainId(quorum.chain));
  const at = (seconds: bigint): string => new Date(Number(seconds) * 1_000).toISOString();
  const heartbeat = clock && {
    lastAt: at(clock.last),
    dueAt: clock.due === undefined ? null : at(clock.due),
    missed: clock.missed,
    reason: clock.reason,
  };
  return { ...quorum, heartbeat: heartbeat ?? null };
}

type StatusView = Omit<SignerView, 'stored' | 'signers' | 'quorums'>;

/** A signer that does not answer is told as that, and is no fault of the request. */
function statusView({ reached: { pinned }, heard }: Standing): StatusView {
  if ('status' in heard) {
    const troubles = troublesOf(heard.status);
    const reason = troubles.length === 0 ? null : troubles.join(' ');
    return { ...told(heard.status), reachable: true, reason, pinned: pinned.identities };
  }
  return {
    reachable: false,
    reason: heard.silence,
    deployment: pinned.deployment,
    pinned: pinned.identities,
    residency: null,
    registryVersion: null,
    registryHash: null,
    sequence: null,
    identities: [],
    slots: [],
  };
}

function told(status: SignerStatus): Omit<StatusView, 'reachable' | 'reason' | 'pinned'> {
  const { deployment, residency, registryHash, identities, slots } = status;
  return {
    deployment,
    residency,
    registryVersion: status.registryVersion.toString(),
    registryHash,
    sequence: status.sequence.toString(),
    identities,
    slots,
  };
}
