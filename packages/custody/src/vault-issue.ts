import { createHash, randomBytes } from 'node:crypto';
import {
  type Address,
  type ChainId,
  type Compartment,
  kindOf,
  type Refused,
  refuse,
  type SignedStatement,
} from '@bulkhead/domain';
import { type Queries, text, type Transaction } from '@bulkhead/postgres';
import {
  agreementDigest,
  assertVaultTerms,
  type ClientKey,
  configHash,
  type Hex,
  hexOf,
  initialPolicyText,
  keyId,
  type Limit,
  policyHash,
  receiptDigest,
  vaultAddress,
  vaultConfigText,
  type VaultTerms,
} from '@bulkhead/vaults';
import { isSignedBy } from './client-signature.ts';
import { compartmentFor, ensureCompartment, ensurePool, findClient } from './client.ts';
import { type Answer, command, commandAfterAsking, isRefused, notFound, type WriteCall } from './command.ts';
import type { Actor, Custody } from './custody.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';
import { forbiddenModel, forbiddenTier } from './jurisdiction.ts';
import { hashes } from './keccak.ts';
import { writeState } from './state.ts';
import { certifiedHolder, certifiedVault } from './vault-address.ts';
import { findVault, lockVault, type Vault } from './vault-row.ts';
import { expectVaultsOn, type OfChain, vaultsOn } from './vault-chain.ts';
import { assertSystem } from './vault-system.ts';
import { type VaultView, vaultView } from './vault-view.ts';
import { houseWallet, proven } from './wallet.ts';

/** What a client, or the governance of a pool, chooses. Everything else is the house's offer. */
export type VaultChoice = {
  readonly chain: ChainId;
  readonly clientKey: ClientKey;
  readonly exitKey: ClientKey;
  readonly exitDestination: Address;
  readonly destinations: readonly Address[];
  readonly limits: readonly Limit[];
  /** Of a pool alone. */
  readonly unlisted: readonly Limit[];
  readonly tier?: 'hot' | 'warm' | 'cold';
};

export type VaultDraft = VaultChoice & ({ readonly clientId: string } | { readonly compartment: Compartment });

/**
 * Makes a configuration out of what the client chose and what the house offers, and says what the client key has to sign. Nobody is
 * bound by a draft: it becomes a vault by the client's signature, the registry of the signers and their certificate.
 */
export async function draftVault(custody: Custody, call: WriteCall, draft: VaultDraft): Promise<Answer<VaultView>> {
  return command(custody, call, async (tx, now) => {
    const found = vaultsOn(custody, draft.chain);
    if (found === undefined) return noSystem(draft.chain);
    const tier = draft.tier ?? 'hot';
    const forbidden =
      forbiddenTier(custody, tier) ?? forbiddenModel(custody, 'compartment' in draft ? 'omnibus' : 'individual');
    if (forbidden !== undefined) return forbidden;
    const holder = await holderOf(custody, tx, { draft, actor: call.actor, now });
    if (isRefused(holder)) return holder;
    const other = await certifiedOne(tx, draft.chain, holder.compartment);
    if (other !== undefined) return taken(other);
    const terms = await termsFrom(custody, tx, { draft, found });
    if (isRefused(terms)) return terms;
    const id = newId('vlt', now);
    const address = vaultAddress(hashes, found.system, terms.config);
    await tx.query(
      `insert into custody.vault (id, chain, compartment, client, address, config_hash, config, policy, step, requested_by, tier, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, 'drafted', $9, $11, $10, $10)`,
      [
        id,
        draft.chain,
        holder.compartment,
        holder.client ?? null,
        address,
        configHash(hashes, terms.config),
        writeState(vaultConfigText(terms.config)),
        writeState(initialPolicyText(terms.policy)),
        call.actor.name,
        now,
        tier,
      ],
    );
    const data = { chain: draft.chain, ...holder, config: vaultConfigText(terms.config) };
    await record(tx, now, { actor: call.actor, subject: id, event: 'vault-drafted', data });
    return vaultView(custody, tx, id);
  });
}

type Holder = { readonly compartment: Compartment; readonly client?: string };

async function holderOf(
  custody: Custody,
  tx: Transaction,
  { draft, actor, now }: { draft: VaultDraft; actor: Actor; now: Date },
): Promise<Holder | Refused> {
  if ('compartment' in draft) {
    if (kindOf(draft.compartment) === 'omnibus') return { compartment: await ensurePool(tx, draft.compartment, now) };
    return refuse(
      'compartment/wrong-kind',
      `Compartment ${draft.compartment} (${kindOf(draft.compartment)}) has no vault of its own name: pools have one, and the vault of an individual compartment is drafted for its client.`,
      { compartment: draft.compartment },
    );
  }
  const client = await findClient(tx, draft.clientId);
  if (client === undefined) return notFound('client', draft.clientId);
  if (client.agreementId === null) {
    return refuse(
      'agreement/missing',
      `Client ${client.id} has no custody agreement on record. Record it with POST /v1/clients/${client.id}/agreements.`,
      { client: client.id },
    );
  }
  const current = await ensureCompartment(custody, tx, { client, chain: draft.chain, actor, now });
  if (kindOf(current) === 'individual') return { compartment: current, client: client.id };
  // In a pool today: its own vault is made ready before the client moves there.
  return { compartment: await compartmentFor(custody, tx, { client, model: 'individual', now }), client: client.id };
}

async function certifiedOne(tx: Queries, chain: ChainId, compartment: Compartment): Promise<string | undefined> {
  const [row] = await tx.query(
    'select id from custody.vault where chain = $1 and compartment = $2 and wallet is not null',
    [chain, compartment],
  );
  return row === undefined ? undefined : text(row, 'id');
}

function taken(id: string): Refused {
  return refuse('vault/wrong-state', `The compartment has its vault already: ${id}. A compartment has one for ever.`, {
    vault: id,
  });
}

export function noSystem(chain: ChainId): Refused {
  return refuse(
    'vault/no-system',
    `There are no vaults on ${chain}: the configuration names no factory there. Addresses on it are of keys.`,
    { chain },
  );
}

/** Entries of a policy have one order. */
function byAddress<Entry>(entries: readonly Entry[], addressOf: (entry: Entry) => Address): readonly Entry[] {
  return entries.toSorted((a, b) => (addressOf(a) < addressOf(b) ? -1 : 1));
}

async function termsFrom(
  custody: Custody,
  tx: Queries,
  { draft, found }: { draft: VaultDraft; found: OfChain },
): Promise<VaultTerms | Refused> {
  const { setup, system } = found;
  const fees = await houseWallet(tx, draft.chain, 'fees');
  if (fees === undefined) {
    return refuse(
      'vault/wrong-state',
      `There is no house fee wallet on ${draft.chain}, and a vault names the receiver of its fee for ever: issue one first.`,
      { chain: draft.chain },
    );
  }
  const { address: feeReceiver } = await proven(custody, tx, fees);
  const policy = {
    destinations: byAddress(draft.destinations, (address) => address),
    limits: byAddress(draft.limits, ({ token }) => token),
    unlisted: byAddress(draft.unlisted, ({ token }) => token),
  };
  const config = {
    clientId: hexOf(randomBytes(32)),
    signerSet: system.signerSet,
    feeReceiver,
    exitDestination: draft.exitDestination,
    clientKey: keyId(hashes, draft.clientKey),
    exitKey: keyId(hashes, draft.exitKey),
    policyHash: policyHash(hashes, policy),
    kind: 'compartment' in draft ? ('omnibus' as const) : ('individual' as const),
    ...setup.terms,
  };
  const terms = { config, policy };
  assertVaultTerms(hashes, terms, setup.profile);
  return terms;
}

export type VaultSignature = { readonly vaultId: string; readonly signature: Hex };

/** Takes the signature of the client key over configuration and policy. */
export async function agreeVault(custody: Custody, call: WriteCall, input: VaultSignature): Promise<Answer<VaultView>> {
  return command(custody, call, async (tx, now) => {
    const vault = await lockVault(tx, input.vaultId);
    if (vault === undefined) return notFound('vault', input.vaultId);
    if (vault.step !== 'drafted') return wrongStep(vault, 'drafted');
    const digest = agreementDigest(hashes, vault.address, vault.terms);
    if (!isSignedBy(vault.terms.config.clientKey, digest, input.signature)) return unsigned(vault);
    await tx.query(`update custody.vault set step = 'agreed', agreement = $2, updated_at = $3 where id = $1`, [
      vault.id,
      input.signature,
      now,
    ]);
    await record(tx, now, { actor: call.actor, subject: vault.id, event: 'vault-agreed', data: { by: 'client key' } });
    return vaultView(custody, tx, vault.id);
  });
}

type Certified = { readonly certificateText: string; readonly certificateDigest: Hex };

/**
 * Has the signers certify a vault that their registry lists, puts what they say where the database is not, and only then stores it.
 * From here on the address is watched; it is shown when the client has acknowledged that it holds the certificate too.
 *
 * Asking is safe to repeat: a signer answers a repetition with the same certificate. A crash after the backup leaves a copy of what is
 * not used yet; one after the commit leaves a certified vault, which the retry finds.
 *
 * @throws CustodyError `vault/system-differs`, `vault/backup-failed`, `signer/…`
 */
export async function certifyVault(custody: Custody, call: WriteCall, vaultId: string): Promise<Answer<VaultView>> {
  return commandAfterAsking<Certified, VaultView>(custody, call, {
    ask: async () => {
      const vault = await findVault(custody.db, vaultId);
      if (vault === undefined) return notFound('vault', vaultId);
      if (vault.step !== 'agreed') return wrongStep(vault, 'agreed');
      return askCertificates(custody, vault);
    },
    work: async (tx, now, certified) => {
      const vault = await lockVault(tx, vaultId);
      if (vault === undefined) return notFound('vault', vaultId);
      if (vault.step !== 'agreed') return wrongStep(vault, 'agreed');
      const other = await certifiedOne(tx, vault.chain, vault.compartment);
      if (other !== undefined) return taken(other);
      await storeCertified(tx, { vault, certified, actor: call.actor, now });
      // Commit point: wallet, certificate and the answer are stored together. The backup holds the certificate already.
      return vaultView(custody, tx, vault.id);
    },
  });
}

async function askCertificates(custody: Custody, vault: Vault): Promise<Certified> {
  const { setup } = expectVaultsOn(custody, vault.chain);
  await assertSystem(custody, vault.chain);
  const { chain, address } = vault;
  const certificates = await setup.quorum.certifyVault({ client: certifiedHolder(vault), chain, vault: address });
  for (const certificate of certificates) setup.verifyVault(certifiedVault(vault, certificate));
  const certificateText = certificateBytes(certificates);
  await setup.backup.store(`vault-${chain.replace(':', '-')}-${address}.json`, Buffer.from(certificateText, 'utf8'));
  const certificateDigest = `0x${createHash('sha256').update(certificateText).digest('hex')}` as const;
  return { certificateText, certificateDigest };
}

/** What client and backup hold: the statements of the signers, whole. One set of them has one text. */
function certificateBytes(certificates: readonly SignedStatement[]): string {
  const ordered = certificates.toSorted((a, b) => (a.identity < b.identity ? -1 : 1));
  return JSON.stringify(ordered.map(({ statement, identity, signature }) => ({ statement, identity, signature })));
}

type Storing = { readonly vault: Vault; readonly certified: Certified; readonly actor: Actor; readonly now: Date };

async function storeCertified(tx: Transaction, { vault, certified, actor, now }: Storing): Promise<void> {
  const wallet = newId('wal', now);
  const { id, chain, compartment, client, address } = vault;
  await tx.query(
    `insert into custody.wallet (id, chain, compartment, address, client, purpose, kind, tier, created_at)
     values ($1, $2, $3, $4, $5, $6, 'vault', (select v.tier from custody.vault v where v.id = $8), $7)`,
    [wallet, chain, compartment, address, client ?? null, client === undefined ? 'pool' : 'deposit', now, id],
  );
  await tx.query(
    `update custody.vault set step = 'certified', wallet = $2, certificates = $3, certificate_digest = $4, backed_up_at = $5, updated_at = $5
     where id = $1`,
    [id, wallet, certified.certificateText, certified.certificateDigest, now],
  );
  const data = { wallet, address, certificate: certified.certificateDigest };
  await record(tx, now, { actor, subject: id, event: 'vault-certified', data });
}

/** Takes the client's receipt: the client key signs the digest of the certificate that it holds. The address is shown from then on. */
export async function receiptVault(
  custody: Custody,
  call: WriteCall,
  input: VaultSignature,
): Promise<Answer<VaultView>> {
  return command(custody, call, async (tx, now) => {
    const vault = await lockVault(tx, input.vaultId);
    if (vault === undefined) return notFound('vault', input.vaultId);
    if (vault.step !== 'certified' || vault.certificateDigest === undefined) return wrongStep(vault, 'certified');
    const digest = receiptDigest(hashes, vault.address, vault.certificateDigest);
    if (!isSignedBy(vault.terms.config.clientKey, digest, input.signature)) return unsigned(vault);
    await tx.query(`update custody.vault set step = 'issued', receipt = $2, updated_at = $3 where id = $1`, [
      vault.id,
      input.signature,
      now,
    ]);
    const event = { actor: call.actor, subject: vault.id, event: 'address-issued' };
    await record(tx, now, { ...event, data: { wallet: vault.wallet ?? '', address: vault.address } });
    return vaultView(custody, tx, vault.id);
  });
}

function wrongStep(vault: Vault, wanted: string): Refused {
  return refuse('vault/wrong-state', `Vault ${vault.id} is ${vault.step}; only one that is ${wanted} can take this.`, {
    vault: vault.id,
    state: vault.step,
  });
}

function unsigned(vault: Vault): Refused {
  return refuse(
    'vault/signature-invalid',
    `This is no signature of the client key of vault ${vault.id} over what it has to sign. Sign the typed data that the vault shows, with that key.`,
    { vault: vault.id },
  );
}
