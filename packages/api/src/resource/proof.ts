import { z } from 'zod';
import { walletCertificate } from './compartment.ts';
import { pageQuery } from './page.ts';
import type { View } from './view.ts';
import { address, asset, assetInput, block, chain, chainInput, compartment, count, hash, id, time } from './wire.ts';

const pinnedIn = z
  .strictObject({ transactionHash: hash, blockNumber: count })
  .nullable()
  .meta({ description: 'The final transaction by which the registry has it, whoever carried it' });

export const proof = z
  .strictObject({
    context: hash.meta({ description: 'Hash of the header: what the registry chains' }),
    asset,
    epoch: count,
    chain: chain.meta({ description: 'Of the registry; the asset may be of another one' }),
    registry: address,
    tier: z.enum(['plain', 'confidential']),
    unitExponent: z.int().min(0).max(36).meta({ description: 'A unit is 10^this of the smallest unit' }),
    block: block.meta({ description: "The pinned block of the asset's chain" }),
    ledgerPosition: count,
    takenAt: time,
    record: hash.nullable().meta({ description: 'Null until it is made' }),
    reserves: count.nullable().meta({ description: 'Of all compartments of clients, in units; null until it is made' }),
    state: z.enum(['begun', 'made', 'committed', 'lapsed', 'drawn', 'proven', 'abandoned']).meta({
      description:
        '`made`: it may go to the registry; `committed`: the registry has it; `lapsed`: it was not committed in time, and the registry has it as that for ever; `drawn`: it must be proven in full; `proven`: it was; `abandoned`: it was given up before signers were asked for it, and its number is free again',
    }),
    reason: z.string().nullable().meta({ description: 'Why it does not go on, or why it was abandoned' }),
    committed: pinnedIn,
    lapsed: pinnedIn,
    drawn: pinnedIn,
    proven: pinnedIn,
    createdAt: time,
  })
  .meta({ id: 'Proof', description: 'One epoch of the proofs of reserves of one asset' });

export const proofDetail = proof
  .extend({
    header: z
      .string()
      .regex(/^(?:[0-9a-f]{2})+$/u)
      .meta({ description: 'Bytes of the header, in hex' }),
    manifest: hash.nullable().meta({ description: 'SHA-256 of the manifest: what the registry has as proof' }),
    files: z
      .array(
        z.strictObject({
          name: z.string().meta({ example: 'wallets.bin' }),
          sha256: hash,
          path: z
            .string()
            .nullable()
            .meta({ description: 'Where everybody may read it, without a token; null for one that names clients' }),
        }),
      )
      .meta({ description: 'What the manifest lists; none before all files are there' }),
  })
  .meta({ id: 'ProofDetail', description: 'One epoch with its files' });

export const proofListQuery = z.strictObject({ ...pageQuery, asset: assetInput.exactOptional() });

const epochInput = z
  .string()
  .regex(/^[1-9][0-9]{0,17}$/u, 'Expected the number of an epoch, from 1.')
  .meta({ description: 'Number of an epoch', example: '12' })
  .transform(BigInt);

export const proofPath = z.strictObject({ asset: assetInput, epoch: epochInput });

/** Without an epoch the newest that the registry has. */
export const clientProofQuery = z.strictObject({ asset: assetInput, epoch: epochInput.exactOptional() });

const fileBytes = z.base64().meta({ description: 'Bytes in base64; what they are is in spec/' });

const ofEpoch = { clientId: id('client'), asset, epoch: count, context: hash } as const;

export const clientProof = z
  .strictObject({
    ...ofEpoch,
    claims: z.array(
      z.strictObject({
        compartment,
        kind: z.enum(['client', 'fee-payable']),
        package: fileBytes.meta({ description: 'What "bulkhead verify" checks (spec/reserves.md)' }),
        statement: fileBytes.nullable().meta({
          description: 'Balance statement of the quorum (spec/proof-files.md); null until all files are there',
        }),
      }),
    ),
  })
  .meta({ id: 'ClientProof', description: 'What one client is given of an epoch; for nobody else' });

export const segregationProof = z
  .strictObject({
    ...ofEpoch,
    compartments: z.array(z.strictObject({ compartment, proof: fileBytes })).meta({
      description: 'One for each compartment of its own; none for a client of a pool, and before all files are there',
    }),
  })
  .meta({ id: 'SegregationProof', description: 'That a compartment has the claims of one client alone' });

export const certificatePath = z.strictObject({
  address: z
    .string()
    .regex(/^0x[0-9a-fA-F]{40}$/u, 'Expected an address: 0x and 40 hex digits.')
    .meta({ description: 'EVM address', example: '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed' }),
});

export const certificateQuery = z.strictObject({ chain: chainInput.exactOptional() });

export const addressCertificate = walletCertificate
  .extend({ chain, compartment, clientId: id('client') })
  .meta({ id: 'AddressCertificate', description: 'The certificate that was given for an address of a client' });

export type Proof = View<typeof proof>;
export type ProofDetail = View<typeof proofDetail>;
export type ProofListQuery = z.output<typeof proofListQuery>;
export type ProofPath = z.output<typeof proofPath>;
export type ClientProofQuery = z.output<typeof clientProofQuery>;
export type ClientProof = View<typeof clientProof>;
export type SegregationProof = View<typeof segregationProof>;
export type CertificatePath = z.output<typeof certificatePath>;
export type CertificateQuery = z.output<typeof certificateQuery>;
export type AddressCertificate = View<typeof addressCertificate>;
