import { address, chain, clientId, coin, digest, time, uuid, walletId, withdrawalId } from './names.ts';

export const statement = {
  statement: 'bulkhead-statement-v1\n{"kind":"head"}',
  identity: digest,
  signature: 'ef'.repeat(64),
} as const;

export const walletCertificate = {
  walletId,
  address,
  certificate: statement,
  certificates: [statement],
  vaultCertificates: [],
} as const;

export const intent = {
  canonical: 'bulkhead-intent-v1\n{}',
  digest,
  typedData: {
    domain: { name: 'Bulkhead', version: '1' },
    types: { Withdrawal: [{ name: 'id', type: 'string' }] },
    primaryType: 'Withdrawal',
    message: { id: withdrawalId },
  },
  approvalLink: null,
} as const;

export const withdrawalIntent = {
  withdrawalId,
  intent,
  requestedBy: 'olga',
  requestSigned: false,
  brief: statement,
  createdAt: time,
} as const;

export const signer = {
  reachable: true,
  reason: null,
  deployment: '0a'.repeat(16),
  pinned: [digest],
  residency: 'hsm-sealed',
  registryVersion: '3',
  registryHash: digest,
  sequence: '120',
  identities: [digest],
  slots: [{ name: 'hsm_slot_1', healthy: true, detail: 'SoftHSM' }],
  stored: { sequence: '119', hash: digest, trouble: null },
  signers: [
    {
      name: 'the signer',
      condition: 'signing',
      reason: null,
      pinned: [digest],
      residency: 'hsm-sealed',
      registryVersion: '3',
      registryHash: digest,
      sequence: '120',
      identities: [digest],
      members: [address],
      slots: [{ name: 'hsm_slot_1', healthy: true, detail: 'SoftHSM' }],
    },
    {
      name: 'vault signer 2',
      condition: 'silent',
      reason: 'The signer did not answer within 2000 ms.',
      pinned: [digest],
      residency: null,
      registryVersion: null,
      registryHash: null,
      sequence: null,
      identities: [],
      members: [],
      slots: [],
    },
  ],
  quorums: [
    {
      chain,
      signerSet: address,
      threshold: 1,
      members: [{ address, signing: true }],
      signing: 1,
      sufficient: true,
      heartbeat: { lastAt: time, dueAt: time, missed: false, reason: null },
    },
  ],
} as const;

export const heartbeat = {
  id: `vhb_${uuid}`,
  chain,
  signerSet: address,
  state: 'carried',
  block: { number: '120', hash: `0x${digest}` },
  anchor: { leaves: 1_000, digest },
  reason: null,
  dispatchId: `dsp_${uuid}`,
  previousAt: time,
  carriedAt: time,
  createdAt: time,
} as const;

export const signerRecord = {
  sequence: '120',
  line: '{"type":"granted"}',
  previous: digest,
  following: [digest],
  head: statement,
} as const;

export const registryChange = {
  id: `chg_${uuid}`,
  kind: 'enrolment',
  before: '3',
  itemsCount: 1,
  listDigest: digest,
  intentDigest: digest,
  state: 'open',
  reason: null,
  requestedBy: 'olga',
  approvals: [{ by: 'paul', at: time }],
  version: null,
  expiresAt: time,
  createdAt: time,
  updatedAt: time,
} as const;

export const registryChangeDetail = { ...registryChange, list: 'bulkhead-registry-v1', intent } as const;

/** A signature in the right form. */
export const approval = { person: 'paul', key: 'robot', kind: 'ed25519', signature: '01'.repeat(64) } as const;

/** One of each item that a list may have. */
export const registryItems: readonly Record<string, unknown>[] = [
  { item: 'client', client: clientId, compartment: 100_000 },
  { item: 'destination', client: clientId, compartment: 100_000, chain, address, label: 'Own wallet' },
  { item: 'destination-removed', client: clientId, compartment: 100_000, chain, address },
  { item: 'person-suspended', person: 'paul' },
  { item: 'chain', chain, development: true, feeMax: '1', feeWindowSeconds: '86400', feeWindowMax: '10' },
  { item: 'asset', asset: coin, symbol: 'ETH', decimals: 18, codeHash: '' },
  { item: 'asset-removed', asset: coin },
  { item: 'proof-registry', chain, registry: address, custodian: 'cc'.repeat(32), signerSet: address },
  { item: 'wallet', compartment: 1, key: '0', tier: 'hot', purpose: 'gas' },
  {
    item: 'person',
    id: 'paul',
    name: 'Paul',
    roles: ['approver'],
    keys: [
      { id: 'robot', kind: 'ed25519', publicKey: digest },
      { id: 'wallet', kind: 'eip712', address },
      {
        id: 'passkey',
        kind: 'webauthn',
        credential: 'aa',
        publicKey: '04'.repeat(65),
        relyingParty: 'approve.example',
        origin: 'https://approve.example',
      },
    ],
  },
  { item: 'person-removed', person: 'paul' },
  { item: 'identities', publicKeys: [digest] },
  {
    item: 'policy',
    coolingSeconds: '86400',
    operationalQuorum: 2,
    rootQuorum: 2,
    rules: [
      {
        kind: 'withdrawal',
        compartments: 'individual',
        tier: 'hot',
        asset: coin,
        amountMax: '1000',
        approvals: 2,
        windowSeconds: '86400',
        windowMax: '5000',
        destination: 'enrolled',
      },
    ],
  },
];
