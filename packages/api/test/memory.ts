import type { Refused } from '@bulkhead/domain';
import { refuse } from '@bulkhead/domain';
import type { FastifyInstance } from 'fastify';
import { createApi } from '../src/api.ts';
import type { ApiOptions } from '../src/api.ts';
import type { Actor, OperationName, Operations, Read, Write, Written } from '../src/operations.ts';
import { formatCursor, parseCursor } from '../src/resource/page.ts';
import type { Page, PageInput } from '../src/resource/page.ts';
import type { Client } from '../src/resource/client.ts';
import * as sample from './samples.ts';

export type Call = {
  readonly name: OperationName;
  readonly actor: Actor;
  readonly input: unknown;
  readonly key?: string;
  readonly fingerprint?: string;
};

/** The operations in memory: clients are really kept and paged, writes happen once per key, the rest answers samples. */
export type Memory = {
  readonly operations: Operations;
  readonly calls: Call[];
  /** When set, the next operations refuse or throw it. */
  next: Refused | Error | undefined;
  /** What the next operations wait for. */
  gate: Promise<void> | undefined;
};

type Tools = {
  readonly read: <Input, View>(name: OperationName, work: (input: Input) => View | Refused) => Read<Input, View>;
  readonly write: <Input, View>(name: OperationName, work: (input: Input) => View | Refused) => Write<Input, View>;
};

export function memory(): Memory {
  const calls: Call[] = [];
  const keys = new Map<string, string>();
  const kept: { operations: Operations; calls: Call[]; next: Memory['next']; gate: Memory['gate'] } = {
    operations: operationsOver({ read, write }),
    calls,
    next: undefined,
    gate: undefined,
  };

  async function answer<Input, View>(work: (input: Input) => View | Refused, input: Input): Promise<View | Refused> {
    await kept.gate;
    if (kept.next instanceof Error) throw kept.next;
    return kept.next ?? work(input);
  }

  function read<Input, View>(name: OperationName, work: (input: Input) => View | Refused): Read<Input, View> {
    return async ({ actor }, input) => {
      calls.push({ name, actor, input });
      return answer(work, input);
    };
  }

  function write<Input, View>(name: OperationName, work: (input: Input) => View | Refused): Write<Input, View> {
    const answers = new Map<string, Written<View>['outcome']>();
    return async ({ actor, idempotency }, input) => {
      calls.push({ name, actor, input, ...idempotency });
      const scoped = `${actor.name}\n${idempotency.key}`;
      const known = keys.get(scoped);
      if (known !== undefined && known !== idempotency.fingerprint) {
        return { hit: false, outcome: { status: 'key-reused' }, facts: [] };
      }
      const stored = answers.get(scoped);
      if (stored !== undefined) return { hit: true, outcome: stored, facts: factsOf(stored) };
      const result = await answer(work, input);
      const outcome = isRefused(result) ? result : { status: 'done' as const, view: result };
      keys.set(scoped, idempotency.fingerprint);
      answers.set(scoped, outcome);
      return { hit: false, outcome, facts: factsOf(outcome) };
    };
  }

  return kept;
}

function isRefused(value: unknown): value is Refused {
  return typeof value === 'object' && value !== null && 'status' in value && value.status === 'refused';
}

const factsOf = ({ status }: { readonly status: string }): readonly bigint[] =>
  status === 'done' ? [4_711n, 4_712n] : [];

const one = <View>(item: View): Page<View> => ({ items: [item], nextCursor: null });

function pageOf<View extends { readonly id: string }>(items: readonly View[], input: PageInput): Page<View> {
  const [after] = input.cursor === undefined ? [] : (parseCursor(input.cursor, 1) ?? []);
  const rest = items.slice(after === undefined ? 0 : items.findIndex(({ id }) => id === after) + 1);
  const shown = rest.slice(0, input.limit);
  const last = shown.at(-1);
  return {
    items: shown,
    nextCursor: last === undefined || shown.length === rest.length ? null : formatCursor([last.id]),
  };
}

function operationsOver({ read, write }: Tools): Operations {
  const clients: Client[] = [];
  return {
    listClients: read('listClients', (input) => pageOf(clients, input)),
    getClient: read('getClient', () => sample.client),
    createClient: write('createClient', ({ reference, kind, segregation }) => {
      if (clients.some((client) => client.reference === reference)) {
        return refuse('client/duplicate-reference', `${reference} is taken.`, { reference });
      }
      const id = `${sample.clientId.slice(0, -4)}${clients.length.toString(16).padStart(4, '0')}`;
      const client: Client = { ...sample.client, id, reference, kind, segregation };
      clients.push(client);
      return client;
    }),
    listAgreements: read('listAgreements', () => one(sample.agreement)),
    recordAgreement: write('recordAgreement', () => sample.agreement),
    listSegregation: read('listSegregation', () => one(sample.segregationVersion)),
    setSegregation: write('setSegregation', () => sample.segregationVersion),
    listClientWallets: read('listClientWallets', () => one({ ...sample.wallet, problem: null })),
    issueClientWallet: write('issueClientWallet', () => sample.wallet),
    listBalances: read('listBalances', () => one(sample.balance)),
    listAssets: read('listAssets', () => one(sample.asset)),
    allowAsset: write('allowAsset', () => sample.asset),
    listCompartments: read('listCompartments', () => one(sample.compartment)),
    getCompartment: read('getCompartment', () => sample.compartment),
    listCompartmentWallets: read('listCompartmentWallets', () => one({ ...sample.wallet, problem: null })),
    issueCompartmentWallet: write('issueCompartmentWallet', () => sample.wallet),
    certifyWallet: write('certifyWallet', () => sample.walletCertificate),
    listSegregationMoves: read('listSegregationMoves', () => one(sample.segregationMove)),
    getSegregationMove: read('getSegregationMove', () => sample.segregationMove),
    proposeSegregationMove: write('proposeSegregationMove', () => sample.segregationMove),
    confirmSegregationMove: write('confirmSegregationMove', () => sample.segregationMove),
    withdrawSegregationMove: write('withdrawSegregationMove', () => sample.segregationMove),
    listVaults: read('listVaults', () => one(sample.vault)),
    getVault: read('getVault', () => sample.vault),
    restrictVault: write('restrictVault', () => sample.vaultRestriction),
    listVaultRestrictions: read('listVaultRestrictions', () => one(sample.vaultRestriction)),
    getVaultRestriction: read('getVaultRestriction', () => sample.vaultRestriction),
    getVaultRestrictionIntent: read('getVaultRestrictionIntent', () => sample.vaultRestrictionIntent),
    approveVaultRestriction: write('approveVaultRestriction', () => sample.vaultRestriction),
    cancelVaultRestriction: write('cancelVaultRestriction', () => sample.vaultRestriction),
    recoverVaultKey: write('recoverVaultKey', () => sample.keyRecovery),
    listKeyRecoveries: read('listKeyRecoveries', () => one(sample.keyRecovery)),
    getKeyRecovery: read('getKeyRecovery', () => sample.keyRecovery),
    getKeyRecoveryIntent: read('getKeyRecoveryIntent', () => sample.keyRecoveryIntent),
    approveKeyRecovery: write('approveKeyRecovery', () => sample.keyRecovery),
    cancelKeyRecovery: write('cancelKeyRecovery', () => sample.keyRecovery),
    changeSignerSet: write('changeSignerSet', () => sample.signerSetChange),
    listSignerSetChanges: read('listSignerSetChanges', () => one(sample.signerSetChange)),
    getSignerSetChange: read('getSignerSetChange', () => sample.signerSetChange),
    getSignerSetChangeIntent: read('getSignerSetChangeIntent', () => sample.signerSetChangeIntent),
    approveSignerSetChange: write('approveSignerSetChange', () => sample.signerSetChange),
    cancelSignerSetChange: write('cancelSignerSetChange', () => sample.signerSetChange),
    draftVault: write('draftVault', () => sample.vault),
    agreeVault: write('agreeVault', () => sample.vault),
    certifyVault: write('certifyVault', () => sample.vault),
    acknowledgeVault: write('acknowledgeVault', () => sample.vault),
    flushVault: write('flushVault', () => sample.dispatch),
    signOneOff: write('signOneOff', () => sample.withdrawal),
    listDeposits: read('listDeposits', () => one(sample.deposit)),
    getDeposit: read('getDeposit', () => sample.deposit),
    releaseDeposit: write('releaseDeposit', () => sample.deposit),
    freezeDeposit: write('freezeDeposit', () => sample.deposit),
    assignDeposit: write('assignDeposit', () => sample.deposit),
    returnDeposit: write('returnDeposit', () => sample.deposit),
    listWithdrawals: read('listWithdrawals', () => one(sample.withdrawal)),
    getWithdrawal: read('getWithdrawal', () => sample.withdrawal),
    requestWithdrawal: write('requestWithdrawal', () => sample.withdrawal),
    releaseWithdrawal: write('releaseWithdrawal', () => sample.withdrawal),
    listApprovals: read('listApprovals', () => one(sample.withdrawal.approvals[0])),
    getWithdrawalIntent: read('getWithdrawalIntent', () => sample.withdrawalIntent),
    signWithdrawal: write('signWithdrawal', () => sample.withdrawal),
    approveWithdrawal: write('approveWithdrawal', () => sample.withdrawal),
    rejectWithdrawal: write('rejectWithdrawal', () => sample.withdrawal),
    cancelWithdrawal: write('cancelWithdrawal', () => sample.withdrawal),
    listSweeps: read('listSweeps', () => one(sample.sweep)),
    getSweep: read('getSweep', () => sample.sweep),
    listDelegations: read('listDelegations', () => one(sample.delegation)),
    revokeDelegation: write('revokeDelegation', () => sample.delegation),
    requestSweep: write('requestSweep', () => ({ items: [sample.sweep] })),
    cancelSweep: write('cancelSweep', () => sample.sweep),
    retrySweep: write('retrySweep', () => sample.sweep),
    chargeFee: write('chargeFee', () => sample.fee),
    listFeePayments: read('listFeePayments', () => one(sample.feePayment)),
    getFeePayment: read('getFeePayment', () => sample.feePayment),
    payFees: write('payFees', () => sample.feePayment),
    listReconciliations: read('listReconciliations', () => one(sample.reconciliation)),
    getReconciliation: read('getReconciliation', () => sample.reconciliation),
    listReconciliationLines: read('listReconciliationLines', () => one(sample.reconciliationLine)),
    startReconciliation: write('startReconciliation', () => sample.reconciliation),
    listBreaks: read('listBreaks', () => one(sample.breakFound)),
    getBreak: read('getBreak', () => sample.breakFound),
    resolveBreak: write('resolveBreak', () => sample.breakFound),
    assignBreak: write('assignBreak', () => sample.breakFound),
    listProofs: read('listProofs', () => one(sample.proof)),
    getProof: read('getProof', () => sample.proofDetail),
    getClientProof: read('getClientProof', () => sample.clientProof),
    getSegregationProof: read('getSegregationProof', () => sample.segregationProof),
    getAddressCertificate: read('getAddressCertificate', () => sample.addressCertificate),
    listAccounts: read('listAccounts', () => one(sample.account)),
    listTransfers: read('listTransfers', () => one(sample.transfer)),
    listDispatches: read('listDispatches', () => one(sample.dispatch)),
    getDispatch: read('getDispatch', () => sample.dispatch),
    listChains: read('listChains', () => one(sample.chainSeen)),
    getChain: read('getChain', () => sample.chainSeen),
    resumeChain: write('resumeChain', () => sample.chainResumed),
    getSigner: read('getSigner', () => sample.signer),
    listHeartbeats: read('listHeartbeats', () => one(sample.heartbeat)),
    listSignerRecords: read('listSignerRecords', () => one(sample.signerRecord)),
    listRegistryChanges: read('listRegistryChanges', () => one(sample.registryChange)),
    getRegistryChange: read('getRegistryChange', () => sample.registryChangeDetail),
    requestRegistryChange: write('requestRegistryChange', () => sample.registryChangeDetail),
    approveRegistryChange: write('approveRegistryChange', () => sample.registryChange),
    listReceipts: read('listReceipts', () => one({ fact: '4711', receipt: sample.receipt })),
    getReceipt: read('getReceipt', () => sample.receipt),
  };
}

export const secrets = {
  admin: 'admin-0123456789abcdef',
  operator: 'operator-0123456789abcdef',
  approver: 'approver-0123456789abcdef',
  auditor: 'auditor-0123456789abcdef',
  client: 'client-0123456789abcdef',
} as const;

export const bearer = (secret: string): { authorization: string } => ({ authorization: `Bearer ${secret}` });

/** The API over {@link memory}, with one token per role. Close it when done. */
export async function memoryApi(options: Partial<ApiOptions> = {}): Promise<{ app: FastifyInstance; memory: Memory }> {
  const kept = memory();
  const app = await createApi({
    operations: kept.operations,
    tokens: [
      { name: 'anna', role: 'admin', token: secrets.admin },
      { name: 'olga', role: 'operator', token: secrets.operator },
      { name: 'paul', role: 'approver', token: secrets.approver },
      { name: 'ida', role: 'auditor', token: secrets.auditor },
      { name: 'cleo', role: 'client', clientId: sample.clientId, token: secrets.client },
    ],
    readiness: async () => ({ ready: true, reasons: [] }),
    metrics: async () => 'bulkhead_up 1\n',
    publicLog: { checkpoint: async () => undefined, tile: async () => undefined },
    publicReserves: { file: async () => undefined },
    onAuditorRead: async () => undefined,
    ...options,
  });
  return { app, memory: kept };
}
