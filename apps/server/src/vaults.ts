import { type ChainVaults, type Custody, registryChangesAfter, signerSetNow, type VaultSetup } from '@bulkhead/custody';
import {
  type Address,
  type ChainId,
  CustodyError,
  invariant,
  type Signature,
  type SignerSetMembers,
} from '@bulkhead/domain';
import { addressOfPublicKey } from '@bulkhead/keys/derivation';
import type { Database } from '@bulkhead/postgres';
import { type Pinned, SignerQuorum, verifyForwarder, verifyVault } from '@bulkhead/signer-client';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { folderBackup } from './certificate-backup.ts';
import type { Configuration } from './config.ts';
import type { ConfiguredSystem } from './config-vaults.ts';
import type { ReachedSigners } from './reached-signer.ts';
import { delegateCode } from './vault-system.ts';

/**
 * Everything that custody needs for vaults, and the signers behind one port: what changes the registry goes to all of them. Undefined
 * where no chain has contracts of vaults.
 */
export function vaultsOver(
  { vaults, chains }: Configuration,
  { db, reached }: { readonly db: Database; readonly reached: ReachedSigners },
): (VaultSetup & { readonly quorum: SignerQuorum }) | undefined {
  const { vaultSystems: systems } = reached;
  if (systems.size === 0) return undefined;
  const { name, signer, pinned, vaultSigners } = reached;
  const quorum = new SignerQuorum({
    signers: [{ name, signer, pinned }, ...vaultSigners],
    threshold: Math.max(...[...systems.values()].map(({ threshold }) => Number(threshold))),
    setNow: async (chain) => setOf(db, chain, systems),
    recover,
    changesAfter: (version) => registryChangesAfter({ db, signer }, version),
  });
  const delegating = new Set(chains.flatMap(({ id, sweepDelegates }) => (sweepDelegates ? [id] : [])));
  const believed = [pinned, ...vaultSigners.map((one) => one.pinned)];
  return {
    systems: new Map([...systems].map(([chain, system]) => [chain, withDelegates(system, delegating.has(chain))])),
    quorum,
    backup: folderBackup(vaults.backupDirectory),
    terms: vaults.terms,
    profile: vaults.profile,
    heartbeatEverySeconds: vaults.heartbeatEverySeconds,
    verifyForwarder: ({ certificate, address, ...claim }) => {
      if (verifyForwarder(certificate, claim, whoSaid(believed, certificate.identity)) === address) return;
      throw new CustodyError('signer/certificate-invalid', `The certificate of a forwarder is not about ${address}.`);
    },
    verifyVault: ({ certificate, client, compartment, chain, address }) => {
      verifyVault(certificate, { client, chain, vault: address, compartment }, whoSaid(believed, certificate.identity));
    },
  };
}

async function setOf(
  db: Database,
  chain: ChainId,
  systems: ReadonlyMap<ChainId, ConfiguredSystem>,
): Promise<SignerSetMembers> {
  const system = systems.get(chain);
  invariant(system !== undefined, 'The signers are asked about a chain without vaults.', { chain });
  return signerSetNow(db, chain, system);
}

/** The signers and the contracts of vaults, each with who is in its set now: changes of it that were made here count. */
export async function reachedNow({ db }: Pick<Custody, 'db'>, reached: ReachedSigners): Promise<ReachedSigners> {
  const systems = [...reached.vaultSystems].map(
    async ([chain, system]) => [chain, { ...system, ...(await signerSetNow(db, chain, system)) }] as const,
  );
  return { ...reached, vaultSystems: new Map(await Promise.all(systems)) };
}

/** The delegate of this build, where the configuration allows it; what the registry lists the signers know by themselves. */
function withDelegates({ members, threshold, ...contracts }: ConfiguredSystem, allowed: boolean): ChainVaults {
  const { factory, vaultImplementation, forwarderImplementation, signerSet, codeHashes } = contracts;
  const system = { factory, vaultImplementation, forwarderImplementation, signerSet, codeHashes, members, threshold };
  return allowed ? { ...system, delegateCode: `0x${delegateCode}` } : system;
}

/** The signer whose identity it is. */
function whoSaid(believed: readonly Pinned[], identity: string): Pinned {
  const found = believed.find(({ identities }) => identities.includes(identity));
  if (found !== undefined) return found;
  throw new CustodyError(
    'signer/certificate-invalid',
    `The identity ${identity} is none of the configured signers'. Compare it with the records of their ceremonies.`,
  );
}

/** Whose signature over a digest it is. Both are public. */
function recover(digest: Uint8Array, { r, s, yParity }: Signature): Address {
  const point = new secp256k1.Signature(r, s, yParity).recoverPublicKey(digest).toBytes(false);
  return addressOfPublicKey(point);
}
