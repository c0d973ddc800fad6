import { address, block, chain, clientId, depositId, digest, time, uuid, walletId, withdrawalId } from './names.ts';
import { intent, statement } from './signer-samples.ts';

const word = `0x${'0f'.repeat(32)}` as const;
const limit = { token: address, cap: '1000' } as const;

const toSign = {
  digest: word,
  typedData: {
    domain: { name: 'Bulkhead Vault Agreement', version: '1', verifyingContract: address },
    types: { VaultReceipt: [{ name: 'certificate', type: 'bytes32' }] },
    primaryType: 'VaultReceipt',
    message: { certificate: word },
  },
} as const;

export const vault = {
  id: `vlt_${uuid}`,
  chain,
  compartment: 100_000,
  clientId,
  state: 'certified',
  walletId,
  address: null,
  configHash: word,
  configuration: {
    clientId: word,
    signerSet: address,
    feeReceiver: address,
    exitDestination: address,
    clientKey: word,
    exitKey: word,
    policyHash: word,
    kind: 'individual',
    feeBpsYear: '50',
    windowSeconds: '86400',
    changeDelay: '86400',
    recoveryDelay: '604800',
    exitDelay: '1209600',
    exitChangeDelay: '1300000',
    heartbeatPeriod: '2592000',
    pauseSeconds: '86400',
  },
  policy: { destinations: [address], limits: [limit], unlisted: [] },
  agreement: null,
  agreementSignature: '0x01',
  receipt: toSign,
  certificate: '[]',
  certificateDigest: word,
  backedUpAt: time,
  onChain: {
    asOf: block,
    deployedIn: null,
    policyOpened: false,
    destinations: [{ address, activeFrom: '0' }],
    limits: [limit],
    unlistedLimits: [],
    queue: [
      {
        change: word,
        kind: 'limit',
        readyAt: '1767225600',
        token: address,
        cap: '2000',
        unlisted: false,
        to: null,
        role: null,
        newKey: null,
      },
    ],
    exit: 'none',
    exitReadyAt: null,
    exitDestination: address,
    clientKey: word,
    exitKey: word,
    pausedUntil: { quorum: null, client: null },
  },
  requestedBy: 'olga',
  createdAt: time,
  updatedAt: time,
} as const;

/** What a draft takes. */
export const vaultRestriction = {
  id: `vrs_${uuid}`,
  vaultId: vault.id,
  chain,
  compartment: 100_000,
  kind: 'pause',
  asset: null,
  cap: null,
  window: null,
  destination: null,
  state: 'awaiting-approval',
  reason: null,
  approvals: [{ by: 'ruth', at: time }],
  intentDigest: digest,
  expiresAt: time,
  transactionHash: null,
  block: null,
  requestedBy: 'olga',
  createdAt: time,
  updatedAt: time,
} as const;

export const vaultRestrictionIntent = { restrictionId: vaultRestriction.id, intent, brief: statement } as const;

export const keyRecovery = {
  id: `vkr_${uuid}`,
  vaultId: vault.id,
  chain,
  compartment: 100_000,
  role: 'client',
  newKey: word,
  change: word,
  state: 'queued',
  reason: null,
  approvals: [{ by: 'ruth', at: time }],
  readyAt: '1767225600',
  intentDigest: digest,
  expiresAt: time,
  transactionHash: word,
  block,
  ended: null,
  requestedBy: 'olga',
  createdAt: time,
  updatedAt: time,
} as const;

export const keyRecoveryIntent = { keyRecoveryId: keyRecovery.id, intent, brief: statement } as const;

export const keyRecoveryWish = { role: 'client', newKey: { kind: 'secp256k1', address } } as const;

export const signerSetChange = {
  id: `ssc_${uuid}`,
  signerSet: address,
  number: '2',
  members: [address],
  threshold: 1,
  state: 'signed',
  reason: null,
  approvals: [{ by: 'ruth', at: time }],
  chains: [{ chain, state: 'queued', activeFrom: time, reason: null, transactionHash: word, block }],
  intentDigest: digest,
  expiresAt: time,
  requestedBy: 'olga',
  createdAt: time,
  updatedAt: time,
} as const;

export const signerSetChangeIntent = { signerSetChangeId: signerSetChange.id, intent, brief: statement } as const;

export const signerSetWish = { chain, members: [address], threshold: 1 } as const;

export const vaultDraft = {
  chain,
  clientId,
  clientKey: { kind: 'secp256k1', address },
  exitKey: { kind: 'passkey', point: { x: word, y: word } },
  exitDestination: address,
  destinations: [address],
  limits: [limit],
  tier: 'warm',
} as const;

export const vaultSignature = { signature: `0x${'01'.repeat(65)}` } as const;

export const segregationMove = {
  id: `sgm_${uuid}`,
  clientId,
  chain,
  segregation: 'individual',
  fromCompartment: 10_000,
  toCompartment: 100_000,
  toWalletId: walletId,
  state: 'moving',
  reason: null,
  proposedBy: 'olga',
  confirmedBy: 'ruth',
  halves: [{ withdrawalId, depositId }],
  certificate: null,
  certificateDigest: null,
  createdAt: time,
  updatedAt: time,
} as const;
