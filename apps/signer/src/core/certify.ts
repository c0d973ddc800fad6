import { clientKey, listedWallet, statementText } from '@bulkhead/authority';
import {
  type AddressClaim,
  type CertifiedAccount,
  type CertifiedWallet,
  type Compartment,
  CustodyError,
  type KeyLabel,
  kindOf,
  type KeyRef,
  parseChainId,
  parseCompartment,
  type SignedStatement,
} from '@bulkhead/domain';
import { keyName, keyText, tierOfKey } from './addresses.ts';
import { signStatement } from './commit.ts';
import type { CoreParts } from './core-parts.ts';
import { textOf } from './record-fields.ts';
import { recordOf } from './record-lookup.ts';

/** The account xpub of a compartment, vouched for. Ed25519 is deterministic: asked twice, the same certificate. */
export async function certifiedAccount(parts: CoreParts, given: Compartment): Promise<CertifiedAccount> {
  const compartment = parseCompartment(given);
  const { residency } = parts.addresses.driverOf({ compartment, index: 0 });
  const xpub = await parts.addresses.xpub(compartment);
  if (xpub === undefined) {
    throw new CustodyError('hsm/key-missing', 'The driver of this signer has no tree of keys, and so no account xpub.');
  }
  const fields = { compartment: String(compartment), path: `m/44'/60'/${compartment}'`, xpub, residency };
  const { deployment } = parts.knowledge.registry();
  const text = statementText('account-certificate', { ...fields, deployment });
  return { compartment, xpub, residency, certificate: await signStatement(parts.identities(), text) };
}

/** @throws CustodyError `signer/unknown-wallet` where the registry does not list it */
export async function certifiedWallet(parts: CoreParts, key: KeyLabel): Promise<CertifiedWallet> {
  const compartment = parseCompartment(key.compartment);
  const { label } = key;
  const registry = parts.knowledge.registry();
  tierOfKey(registry, { compartment, label });
  const address = await parts.addresses.of({ compartment, label });
  const residency = parts.addresses.residencyOf({ compartment, label });
  const { deployment } = registry;
  const fields = { deployment, compartment: String(compartment), label, address, residency };
  const certificate = await signStatement(parts.identities(), statementText('wallet-certificate', fields));
  return { compartment, label, address, residency, certificate };
}

/** A deposit-address certificate. What was certified to one client is never certified to another. */
export async function certifyAddress(parts: CoreParts, claim: AddressClaim): Promise<SignedStatement> {
  const { client } = claim;
  const chain = parseChainId(claim.chain);
  const compartment = parseCompartment(claim.key.compartment);
  const key: KeyRef = { ...claim.key, compartment };
  const name = keyName(key);
  const about = { client: client.slice(0, 90), chain, compartment: String(compartment), key: name.slice(0, 90) };
  return parts.gate.shared(async () => {
    const address = await parts.addresses.of(key);
    return parts.refusals.recorded({ request: 'certify', about }, async () => {
      const { knowledge, committer } = parts;
      assertCertifiable(parts, { client, compartment, chain, key });
      const earlier = knowledge.certified.record(compartment, name, chain);
      if (earlier !== undefined) {
        await committer.settle();
        const given = statementOf(await recordOf(parts, earlier));
        // A certificate by a key that no longer counts is replaced by one that whoever knows only the keys of now can check.
        if (knowledge.registry().identities.includes(given.identity)) return given;
      }
      const at = parts.time.now();
      const { deployment } = knowledge.registry();
      const path: Readonly<Record<string, string>> = 'label' in key ? { label: key.label } : { path: keyText(key) };
      const fields = { deployment, client, compartment: String(compartment), chain, address, issuedAt: String(at) };
      const signed = await signStatement(
        parts.identities(),
        statementText('address-certificate', { ...fields, ...path }),
      );
      // Signing took its time: another claim for the same key may have come first.
      assertCertifiable(parts, { client, compartment, chain, key });
      const step = { kind: 'certificate', compartment, name: `${name}/${chain}`, at } as const;
      knowledge.pace.assertWithin(step, parts.limits);
      knowledge.pace.take(step);
      knowledge.certified.reserve(compartment, name, client);
      await committer.commit({
        type: 'certified',
        at,
        fields: { client, compartment: String(compartment), chain, key: name, address, ...signed },
      });
      return signed;
    });
  });
}

export function statementOf({ fields }: Awaited<ReturnType<typeof recordOf>>): SignedStatement {
  return {
    statement: textOf(fields, 'statement'),
    identity: textOf(fields, 'identity'),
    signature: textOf(fields, 'signature'),
  };
}

function assertCertifiable(
  { knowledge }: CoreParts,
  {
    client,
    compartment,
    chain,
    key,
  }: { client: string; compartment: Compartment; chain: AddressClaim['chain']; key: KeyRef },
): void {
  const registry = knowledge.registry();
  if (!registry.clients.has(clientKey({ client, compartment }))) {
    throw new CustodyError(
      'signer/unknown-client',
      `${client.slice(0, 90)} is not enrolled in compartment ${compartment}. Have the client enrolled by the operational quorum.`,
    );
  }
  if (!registry.chains.has(chain)) {
    throw new CustodyError(
      'signer/unknown-chain',
      `The chain ${chain} is not in the registry. Have it listed by the root quorum.`,
    );
  }
  tierOfKey(registry, key);
  const listed = listedWallet(registry, key);
  if (listed !== undefined && listed.purpose !== 'deposit' && kindOf(compartment) === 'omnibus') {
    throw new CustodyError(
      'signer/unknown-wallet',
      `${keyText(key)} is the ${listed.purpose} wallet of compartment ${compartment}, which all its clients share: it is nobody's deposit address.`,
    );
  }
  const holder = knowledge.certified.client(compartment, keyName(key));
  if (holder !== undefined && holder !== client) {
    throw new CustodyError(
      'signer/address-certified-before',
      `${keyText(key)} was certified to another client, and an address belongs to one client for ever. Give this client another index.`,
      { details: { compartment, key: keyName(key) } },
    );
  }
}
