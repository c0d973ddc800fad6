import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Address, parseAddress } from '@bulkhead/domain';
import { bytesOf, type ClientKey, nativeToken } from '@bulkhead/vaults';
import { field, numberIn, words } from './client.ts';
import type { KeyInHand } from './client-keys.ts';
import { clientsOwn, clientsRefuge, stage } from './outside.ts';
import type { Scene } from './scene.ts';

/** Who signs for the vaults of the demonstration, and with what: two clients, and the governance of the pool. */
const signsWith = { aurora: 'account', boreas: 'passkey', pool: 'account' } as const;
export type VaultClient = keyof typeof signsWith;

export type ClientKeys = { readonly client: KeyInHand; readonly exit: KeyInHand };

/** Where keys of the clients of the demonstration are. */
function clientKeyPath({ dataDirectory }: Pick<Scene, 'dataDirectory'>, name: string): string {
  return join(dataDirectory, 'clients', `${name}.key`);
}

export function exitKeyPath(scene: Pick<Scene, 'dataDirectory'>, name: VaultClient): string {
  return clientKeyPath(scene, `${name}-exit`);
}

/** The keys of a client, as whoever plays the client holds them. */
export async function keysOf(scene: Pick<Scene, 'dataDirectory'>, name: VaultClient): Promise<ClientKeys> {
  // What computes with secrets of clients is loaded when somebody is played, and by no server that only serves.
  const { accountInHand, passkeyInHand } = await import('./client-keys.ts');
  const path = clientKeyPath(scene, `${name}-${signsWith[name]}`);
  const client = signsWith[name] === 'passkey' ? passkeyInHand(path) : accountInHand(path);
  return { client, exit: accountInHand(exitKeyPath(scene, name)) };
}

/** Where a client keeps the certificate that came with the address. */
export function certificatePath({ dataDirectory }: Pick<Scene, 'dataDirectory'>, name: VaultClient): string {
  return join(dataDirectory, 'clients', `${name}-certificate.json`);
}

const ether = 10n ** 18n;
const dollar = 10n ** 6n;

/** A vault that its client has agreed to, before any signer knows of it. */
export type Agreed = {
  readonly vaultId: string;
  readonly compartment: number;
  /** As the registry of the signers lists it. */
  readonly item: object;
};

/** Whose vault it is: that of a client, or the one of the pool. */
export type Holder = { readonly clientId: string } | { readonly compartment: number };

/** The client chooses keys, destinations and limits, and signs what comes of it. */
export async function agreeOnVault(
  scene: Scene,
  { name, holder }: { readonly name: VaultClient; readonly holder: Holder },
): Promise<Agreed> {
  const { api, cast, chain } = scene;
  const keys = await keysOf(scene, name);
  const limits = [
    { token: nativeToken, cap: String(1_000n * ether) },
    { token: stage.token, cap: String(1_000_000n * dollar) },
  ];
  const drafted = await api.write(cast.operator, '/v1/vaults', {
    step: `vault-${name}`,
    body: {
      chain,
      ...holder,
      clientKey: wired(keys.client.key),
      exitKey: wired(keys.exit.key),
      exitDestination: clientsRefuge,
      destinations: 'clientId' in holder ? [clientsOwn] : [],
      limits,
      // A pool pays to its clients' destinations within a window that the chain keeps.
      ...('clientId' in holder ? {} : { unlisted: limits }),
    },
  });
  const vaultId = words(drafted, 'id');
  const signature = await signedBy(keys.client, field(drafted, 'agreement'));
  await api.write(cast.operator, `/v1/vaults/${vaultId}/agreement`, {
    step: `vault-agreement-${name}`,
    body: { signature },
  });
  const compartment = numberIn(drafted, 'compartment');
  const client = 'clientId' in holder ? { client: holder.clientId } : {};
  const item = { item: 'vault', chain, compartment, ...client, tier: 'hot' };
  const terms = { config: field(drafted, 'configuration'), policy: field(drafted, 'policy') };
  return { vaultId, compartment, item: { ...item, ...terms, agreement: signature.slice(2) } };
}

/**
 * The signers certify the vault, the backup takes the certificate, the client takes it and says so; then the address is shown.
 *
 * @returns the address
 */
export async function receiveVault(scene: Scene, name: VaultClient, vaultId: string): Promise<Address> {
  const { api, cast } = scene;
  const certified = await api.write(cast.operator, `/v1/vaults/${vaultId}/certificate`, {
    step: `vault-certificate-${name}`,
  });
  writeFileSync(certificatePath(scene, name), words(certified, 'certificate'), { mode: 0o600 });
  const issued = await api.write(cast.operator, `/v1/vaults/${vaultId}/receipt`, {
    step: `vault-receipt-${name}`,
    body: { signature: await signedBy((await keysOf(scene, name)).client, field(certified, 'receipt')) },
  });
  return parseAddress(words(issued, 'address'));
}

/** What a client does who is shown typed data: signs it, with the key in hand. */
export async function signedBy(key: KeyInHand, toSign: unknown): Promise<`0x${string}`> {
  return key.sign(bytesOf(words(toSign, 'digest')));
}

function wired(key: ClientKey): object {
  if (key.kind === 'secp256k1') return key;
  const hex = (value: bigint): string => `0x${value.toString(16).padStart(64, '0')}`;
  return { kind: key.kind, point: { x: hex(key.point.x), y: hex(key.point.y) } };
}
