import { address, block, chain, clientId, coin, hash, time, walletId } from './names.ts';
import { statement } from './signer-samples.ts';

const pinned = { transactionHash: hash, blockNumber: '120' } as const;

export const proof = {
  context: hash,
  asset: coin,
  epoch: '12',
  chain,
  registry: address,
  tier: 'confidential',
  unitExponent: 9,
  block,
  ledgerPosition: '4711',
  takenAt: time,
  record: hash,
  reserves: '1000',
  state: 'proven',
  reason: null,
  committed: pinned,
  lapsed: null,
  drawn: pinned,
  proven: pinned,
  createdAt: time,
} as const;

export const proofDetail = {
  ...proof,
  header: 'ab'.repeat(200),
  manifest: hash,
  files: [
    { name: 'wallets.bin', sha256: hash, path: '/v1/reserves/eip155-31337-slip44-60/12/wallets.bin' },
    { name: 'certificates.bin', sha256: hash, path: null },
  ],
};

const ofEpoch = { clientId, asset: coin, epoch: '12', context: hash } as const;

export const clientProof = {
  ...ofEpoch,
  claims: [{ compartment: 10_000, kind: 'client', package: 'AAEC', statement: null }],
} as const;

export const segregationProof = { ...ofEpoch, compartments: [{ compartment: 100_000, proof: 'AAEC' }] } as const;

export const addressCertificate = {
  walletId,
  address,
  certificate: statement,
  certificates: [statement],
  vaultCertificates: [],
  chain,
  compartment: 100_000,
  clientId,
} as const;
