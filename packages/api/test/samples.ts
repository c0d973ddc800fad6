import type { OperationName } from '../src/operations.ts';
import {
  address,
  block,
  breakId,
  chain,
  clientId,
  coin,
  depositId,
  digest,
  dispatchId,
  hash,
  reconciliationId,
  time,
  uuid,
  walletId,
  withdrawalId,
} from './names.ts';
import { approval, registryChange, registryItems } from './signer-samples.ts';
import {
  keyRecovery,
  keyRecoveryWish,
  segregationMove,
  signerSetChange,
  signerSetWish,
  vault,
  vaultDraft,
  vaultRestriction,
  vaultSignature,
} from './vault-samples.ts';

export * from './names.ts';
export * from './proof-samples.ts';
export * from './signer-samples.ts';
export * from './vault-samples.ts';

const terms = {
  parties: 'Custodian and client',
  service: 'Custody',
  custodyPolicy: 'Policy 3',
  communication: 'By portal',
  security: 'As described',
  fees: 'Schedule A',
  applicableLaw: 'Luxembourg',
};

export const client = {
  id: clientId,
  reference: 'C-1',
  kind: 'legal',
  segregation: 'individual',
  agreementId: null,
  createdBy: 'olga',
  createdAt: time,
  erasedAt: null,
} as const;

export const agreement = {
  id: `agr_${uuid}`,
  clientId,
  ...terms,
  signedAt: time,
  recordedBy: 'olga',
  recordedAt: time,
  erasedAt: null,
} as const;

export const segregationVersion = {
  clientId,
  chain,
  version: 2,
  segregation: 'omnibus',
  compartment: 10_000,
  decidedBy: 'olga',
  decidedAt: time,
} as const;

export const wallet = {
  id: walletId,
  chain,
  compartment: 100_000,
  clientId,
  address,
  kind: 'key',
  purpose: 'deposit',
  tier: 'hot',
  keyResidency: 'software',
  derivationPath: "m/44'/60'/100000'/0/0",
  keyLabel: null,
  vaultWalletId: null,
  createdAt: time,
} as const;

export const balance = {
  asset: coin,
  compartment: 100_000,
  available: '115792089237316195423570985008687907853269984665640564039457584007913129639935',
  held: '0',
  quarantine: '1',
  gas: '0',
  feePayable: '0',
} as const;

export const asset = {
  asset: coin,
  chain,
  symbol: 'ETH',
  decimals: 18,
  behaviour: 'native',
  dustMax: '1000',
  dti: null,
  allowedBy: 'anna',
  allowedAt: time,
} as const;

export const compartment = {
  number: 100_000,
  kind: 'individual',
  clientId,
  frozen: true,
  frozenBy: [breakId],
  books: [
    {
      asset: coin,
      wallet: '-1',
      loss: '0',
      available: '0',
      held: '0',
      quarantine: '0',
      gas: '0',
      feePayable: '0',
      suspense: '0',
      equity: '-1',
      feeIncome: '0',
      networkFee: '0',
      obligation: '0',
    },
  ],
  createdAt: time,
} as const;

export const deposit = {
  id: depositId,
  clientId,
  compartment: 100_000,
  walletId,
  address,
  asset: coin,
  amount: '5',
  credited: '5',
  state: 'final',
  disposition: 'client',
  verdict: 'not-screened',
  releaseProposedBy: null,
  releasedBy: null,
  assignmentProposed: null,
  returnWithdrawalId: null,
  transactionHash: hash,
  block,
  from: address,
  movementKind: 'native',
  finality: { rule: 'finalized', block, sources: ['local'], required: 1, reachedAt: time },
  createdAt: time,
  updatedAt: time,
} as const;

export const withdrawal = {
  id: withdrawalId,
  kind: 'withdrawal',
  clientId,
  compartment: 100_000,
  walletId,
  asset: coin,
  amount: '5',
  destination: address,
  feePayer: 'client',
  feeMax: '21000',
  feePaid: null,
  state: 'awaiting-approval',
  chainState: 'none',
  verdict: 'not-screened',
  releasedBy: 'rule',
  reason: null,
  requestedBy: 'olga',
  approvals: [{ by: 'paul', at: time }],
  quorum: 2,
  intentDigest: digest,
  cancelAskedBy: null,
  expiresAt: time,
  vault: null,
  transactionHash: null,
  block: null,
  createdAt: time,
  updatedAt: time,
} as const;

const movement = {
  compartment: 10_000,
  chain,
  asset: coin,
  amount: '5',
  walletId,
  toWalletId: walletId,
  toAddress: address,
  state: 'queued',
  chainState: 'none',
  reason: null,
  dispatchId: null,
  feeMax: null,
  feePaid: null,
  transactionHash: null,
  block: null,
  requestedBy: 'olga',
  createdAt: time,
  updatedAt: time,
} as const;

export const sweep = { id: `swp_${uuid}`, ...movement } as const;
export const feePayment = { id: `fp_${uuid}`, clientId, ...movement } as const;

export const delegation = {
  id: `dlg_${uuid}`,
  chain,
  compartment: 100_000,
  walletId,
  toWalletId: walletId,
  delegate: null,
  state: 'signed',
  reason: null,
  requestedBy: 'olga',
  createdAt: time,
  updatedAt: time,
} as const;

export const fee = {
  id: `fee_${uuid}`,
  clientId,
  compartment: 100_000,
  asset: coin,
  amount: '7',
  description: 'January',
  chargedBy: 'olga',
  createdAt: time,
} as const;

export const reconciliation = {
  id: reconciliationId,
  chain,
  state: 'finished',
  block,
  ledgerPosition: '12',
  sources: ['local'],
  sourcesRequired: 1,
  walletsCount: 1,
  linesCount: 1,
  breaksCount: 1,
  reason: null,
  requestedBy: 'olga',
  createdAt: time,
  finishedAt: time,
} as const;

export const reconciliationLine = {
  compartment: 100_000,
  walletId,
  address,
  asset: coin,
  books: '5',
  onChain: '4',
  difference: '-1',
  pendingIn: '0',
  pendingOut: '0',
  unbookedIn: '0',
  unbookedOut: '1',
  unbookedFees: '0',
  breakType: 'missing-movement',
  breakId,
} as const;

export const breakFound = {
  id: breakId,
  type: 'missing-movement',
  state: 'open',
  freezes: true,
  chain,
  compartment: 100_000,
  walletId,
  address,
  asset: coin,
  books: '5',
  onChain: '4',
  difference: '-1',
  block,
  detail: null,
  reconciliationId,
  lastReconciliationId: reconciliationId,
  owner: null,
  openedAt: time,
  ageSeconds: 60,
  deadline: time,
  proposal: { action: 'book-loss', note: 'theft', by: 'anna' },
  resolution: null,
} as const;

export const account = {
  compartment: 100_000,
  asset: coin,
  number: 1,
  kind: 'available',
  holder: clientId,
  side: 'credit',
  posted: '5',
  pendingOut: '0',
  pendingIn: '0',
} as const;

export const transfer = {
  key: uuid,
  position: '12',
  type: 'post',
  compartment: 100_000,
  asset: coin,
  debit: { number: 0, kind: 'wallet', holder: walletId, balanceAfter: '5' },
  credit: { number: 1, kind: 'quarantine', holder: clientId, balanceAfter: '5' },
  amount: '5',
  code: 'deposit-final',
  reference: depositId,
  block,
  hold: null,
  link: null,
  expiresAt: null,
  createdAt: time,
} as const;

export const dispatch = {
  id: dispatchId,
  kind: 'withdrawal',
  reference: withdrawalId,
  intentDigest: digest,
  chain,
  compartment: 100_000,
  walletId,
  from: address,
  to: address,
  asset: coin,
  amount: '5',
  feeMax: '21000',
  nonce: '0',
  state: 'broadcast',
  outcome: null,
  chainState: 'in-mempool',
  cancelAsked: false,
  attempts: [
    {
      ordinal: 1,
      role: 'effect',
      hash,
      chainState: 'in-mempool',
      gasLimit: '21000',
      maxFeePerGas: '1',
      maxPriorityFeePerGas: '1',
    },
  ],
  block: null,
  feePaid: null,
  createdAt: time,
  updatedAt: time,
} as const;

export const chainResumed = {
  chain,
  resumedBy: 'anna',
  resumedAt: '2026-01-31T09:30:00.000Z',
  stoppedReason: 'A bug that was mended.',
} as const;

export const chainSeen = {
  id: chain,
  state: 'following',
  reason: null,
  covered: block,
  booked: '98',
  tip: block,
  final: block,
  lagBlocks: '0',
  required: 1,
  sources: [{ name: 'local', healthy: true, latest: '100', reason: null, checkedAt: time }],
} as const;

export const receipt = {
  index: 41,
  leaf: 'AQ93aXRo',
  opening: { salt: 'BwcH', content: '{"data": {}}' },
  path: ['Xwg/'],
  checkpoint: 'bulkhead.example.com/log\n1000\nAAAA\n\n\u2014 bulkhead.example.com/log AAAA\n',
} as const;

/** Bodies that the writes take. Operations that are not here take none. */
export const bodies: Partial<Record<OperationName, Record<string, unknown>>> = {
  createClient: { reference: 'C-1', kind: 'legal', segregation: 'individual' },
  recordAgreement: { ...terms, signedAt: '2026-01-31T10:30:00+01:00' },
  setSegregation: { chain, segregation: 'omnibus' },
  issueClientWallet: { chain },
  allowAsset: { asset: coin, symbol: 'ETH', decimals: 18, behaviour: 'native', dustMax: '1000' },
  issueCompartmentWallet: { chain, purpose: 'pool' },
  assignDeposit: { clientId },
  proposeSegregationMove: { chain, segregation: 'individual' },
  draftVault: vaultDraft,
  agreeVault: vaultSignature,
  acknowledgeVault: vaultSignature,
  signOneOff: vaultSignature,
  flushVault: { asset: coin },
  requestWithdrawal: { clientId, asset: coin, amount: '5', destination: address },
  signWithdrawal: { approval },
  approveWithdrawal: { approval },
  requestRegistryChange: { kind: 'enrolment', items: registryItems },
  approveRegistryChange: { approval },
  restrictVault: { kind: 'pause' },
  approveVaultRestriction: { approval },
  recoverVaultKey: keyRecoveryWish,
  approveKeyRecovery: { approval },
  changeSignerSet: signerSetWish,
  approveSignerSetChange: { approval },
  rejectWithdrawal: { reason: 'Not known' },
  requestSweep: { compartment: 10_000, chain },
  chargeFee: { clientId, asset: coin, amount: '7', description: 'January' },
  payFees: { clientId, asset: coin },
  startReconciliation: { chain },
  resolveBreak: { action: 'book-loss', note: 'theft' },
  assignBreak: { owner: 'olga' },
};

const values: Readonly<Record<string, string>> = {
  ':clientId': clientId,
  ':compartment': '100000',
  ':depositId': depositId,
  ':withdrawalId': withdrawalId,
  ':sweepId': sweep.id,
  ':feePaymentId': feePayment.id,
  ':reconciliationId': reconciliationId,
  ':breakId': breakId,
  ':fact': '4711',
  ':subject': withdrawalId,
  ':dispatchId': dispatchId,
  ':chain': chain,
  ':walletId': walletId,
  ':registryChangeId': registryChange.id,
  ':vaultId': vault.id,
  ':vaultRestrictionId': vaultRestriction.id,
  ':keyRecoveryId': keyRecovery.id,
  ':signerSetChangeId': signerSetChange.id,
  ':segregationMoveId': segregationMove.id,
  ':asset': encodeURIComponent(coin),
  ':epoch': '12',
  ':address': address,
};

/** What cannot be left out of a query. */
const queries: Readonly<Record<string, string>> = {
  '/v1/clients/:clientId/proof': `?asset=${encodeURIComponent(coin)}`,
  '/v1/clients/:clientId/proof-of-segregation': `?asset=${encodeURIComponent(coin)}`,
};

/** A path of the route with sample values in it. */
export function pathOf(url: string): string {
  return url.replace(/:[a-zA-Z]+/gu, (name) => values[name] ?? name) + (queries[url] ?? '');
}
