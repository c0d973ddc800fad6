import {
  clientKey,
  statementText,
  type VaultEntry,
  vaultKey,
  type VaultSystemEntry,
  vaultTermsFields,
} from '@bulkhead/authority';
import {
  CustodyError,
  type ForwarderClaim,
  kindOf,
  parseAddress,
  parseChainId,
  type SignedStatement,
  type VaultClaim,
} from '@bulkhead/domain';
import { forwarderAddress, isHexOf } from '@bulkhead/vaults';
import { statementOf } from './certify.ts';
import { signStatement } from './commit.ts';
import type { CoreParts } from './core-parts.ts';
import { recordOf } from './record-lookup.ts';

type Claimed = { readonly client: string; readonly vault: VaultEntry; readonly system: VaultSystemEntry };

/**
 * The certificate of a vault: the address with everything it was worked out from, so that whoever holds it can deploy the vault and leave
 * it without us. Asked twice, the same certificate.
 */
export async function certifyVault(parts: CoreParts, claim: VaultClaim): Promise<SignedStatement> {
  const about = aboutOf(claim);
  return parts.gate.shared(async () =>
    parts.refusals.recorded({ request: 'certify', about }, async () => {
      const found = claimed(parts, claim);
      const { vault, system } = found;
      const ofPool = vault.client === undefined && claim.client === poolHolder(vault);
      if (!ofPool) assertEnrolled(parts, found);
      const key = `vault/${vault.address}`;
      return once(parts, { ...claim, key, compartment: vault.compartment, address: vault.address }, (issuedAt) => {
        const { agreement, compartment, client } = vault;
        return statementText('vault-certificate', {
          ...commonFields(parts, { vault, system }),
          compartment: String(compartment),
          address: vault.address,
          vaultImplementation: system.vaultImplementation,
          signerSet: system.signerSet,
          codeHashes: { ...system.codeHashes },
          ...vaultTermsFields(vault),
          agreement,
          ...(client === undefined ? {} : { client }),
          issuedAt: String(issuedAt),
        });
      });
    }),
  );
}

/** The certificate of a forwarder of an omnibus vault. What was certified to one client is never certified to another. */
export async function certifyForwarder(parts: CoreParts, claim: ForwarderClaim): Promise<SignedStatement> {
  const about = { ...aboutOf(claim), salt: claim.salt.slice(0, 90) };
  return parts.gate.shared(async () =>
    parts.refusals.recorded({ request: 'certify', about }, async () => {
      const found = claimed(parts, claim);
      assertEnrolled(parts, found);
      const { client, vault, system } = found;
      const salt = `0x${claim.salt}`;
      if (!isHexOf(salt, 32)) {
        throw new CustodyError('signer/protocol', `"${claim.salt.slice(0, 90)}" is no salt: 64 lower-case hex digits.`);
      }
      if (kindOf(vault.compartment) !== 'omnibus') {
        throw new CustodyError(
          'signer/unknown-vault',
          `${vault.address} is a vault of its own: its client pays in there, and needs no forwarder.`,
        );
      }
      const { address: at, compartment } = vault;
      const address = forwarderAddress(parts.hashes, system, { vault: at, salt });
      const key = `forwarder/${at}/${claim.salt}`;
      assertFree(parts, { compartment, key, client });
      return once(parts, { ...claim, key, compartment, address }, (issuedAt) =>
        statementText('forwarder-certificate', {
          ...commonFields(parts, { vault, system }),
          client,
          compartment: String(compartment),
          address,
          vault: at,
          salt: claim.salt,
          issuedAt: String(issuedAt),
        }),
      );
    }),
  );
}

function aboutOf({ client, chain, vault }: VaultClaim): Readonly<Record<string, string>> {
  return { client: client.slice(0, 90), chain: chain.slice(0, 90), vault: vault.slice(0, 90) };
}

/** What both certificates say of where it stands. */
function commonFields(
  { knowledge }: CoreParts,
  { vault, system }: Pick<Claimed, 'vault' | 'system'>,
): Readonly<Record<'deployment' | 'chain' | 'factory' | 'forwarderImplementation', string>> {
  const { deployment } = knowledge.registry();
  const { factory, forwarderImplementation } = system;
  return { deployment, chain: vault.chain, factory, forwarderImplementation };
}

function claimed({ knowledge }: CoreParts, claim: VaultClaim): Claimed {
  const registry = knowledge.registry();
  const chain = parseChainId(claim.chain);
  const { client } = claim;
  const vault = registry.vaults.get(vaultKey({ chain, address: parseAddress(claim.vault) }));
  const system = registry.systems.get(chain);
  if (vault === undefined || system === undefined) {
    throw new CustodyError(
      'signer/unknown-vault',
      `The registry lists no vault ${claim.vault.slice(0, 60)} on ${chain}. Have it listed by the operational quorum.`,
    );
  }
  return { client, vault, system };
}

/** Whom the vault of a pool is certified to as such. Its clients are enrolled one by one, and have forwarders. */
function poolHolder({ compartment }: Pick<VaultEntry, 'compartment'>): string {
  return `pool_${compartment}`;
}

function assertEnrolled({ knowledge }: CoreParts, { client, vault }: Claimed): void {
  const { compartment } = vault;
  const enrolled = knowledge.registry().clients.has(clientKey({ client, compartment }));
  if (enrolled && (vault.client === undefined || vault.client === client)) return;
  throw new CustodyError(
    'signer/unknown-client',
    `The vault ${vault.address} is not of ${client.slice(0, 90)}. Find out who made the two up.`,
  );
}

type Certifying = VaultClaim & Pick<VaultEntry, 'compartment' | 'address'> & { readonly key: string };

function assertFree(
  { knowledge }: CoreParts,
  { compartment, key, client }: Pick<Certifying, 'compartment' | 'key' | 'client'>,
): void {
  const holder = knowledge.certified.client(compartment, key);
  if (holder === undefined || holder === client) return;
  throw new CustodyError(
    'signer/address-certified-before',
    `This forwarder was certified to another client, and an address belongs to one client for ever. Give this client another salt.`,
    { details: { compartment, key } },
  );
}

async function once(
  parts: CoreParts,
  { client, chain, compartment, address, key }: Certifying,
  write: (issuedAt: bigint) => string,
): Promise<SignedStatement> {
  const { knowledge, committer } = parts;
  const earlier = knowledge.certified.record(compartment, key, chain);
  if (earlier !== undefined) {
    await committer.settle();
    const given = statementOf(await recordOf(parts, earlier));
    if (knowledge.registry().identities.includes(given.identity)) return given;
  }
  const at = parts.time.now();
  const signed = await signStatement(parts.identities(), write(at));
  // Signing took its time: another claim for the same may have come first.
  if (kindOf(compartment) === 'omnibus' && key.startsWith('forwarder/')) {
    assertFree(parts, { compartment, key, client });
  }
  const step = { kind: 'certificate', compartment, name: `${key}/${chain}`, at } as const;
  knowledge.pace.assertWithin(step, parts.limits);
  knowledge.pace.take(step);
  knowledge.certified.reserve(compartment, key, client);
  await committer.commit({
    type: 'certified',
    at,
    fields: { client, compartment: String(compartment), chain, key, address, ...signed },
  });
  return signed;
}
