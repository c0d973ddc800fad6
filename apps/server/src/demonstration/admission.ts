import { type Address, invariant, parseAddress } from '@bulkhead/domain';
import { words } from './client.ts';
import { clientsOwn, seller, stage } from './outside.ts';
import type { Player, Players, Scene } from './scene.ts';
import { type Agreed, agreeOnVault, receiveVault, type VaultClient } from './vault-desk.ts';

const ether = 10n ** 18n;
/** The compartment that clients share. */
export const poolNumber = 10_000;

type Client = { readonly key: string; readonly name: string } & (
  | { readonly segregation: 'individual'; readonly vault: VaultClient }
  | { readonly segregation: 'omnibus' }
);

const clients: readonly Client[] = [
  { key: 'aurora', name: 'Aurora Pension', segregation: 'individual', vault: 'aurora' },
  { key: 'boreas', name: 'Boreas Capital', segregation: 'individual', vault: 'boreas' },
  { key: 'celsus', name: 'Celsus Trading', segregation: 'omnibus' },
  { key: 'delphi', name: 'Delphi Fund', segregation: 'omnibus' },
];

/** A client who has no address yet: with a vault of the own that the signers do not know, or in the pool. */
type Admitted = Omit<Player, 'address'> & {
  readonly key: string;
  readonly vault: (Agreed & { readonly name: VaultClient }) | undefined;
};

/** House wallets, clients with their agreements and vaults, and what the signers must know of them. */
export async function settleIn(scene: Scene): Promise<Players> {
  const { api, cast, chain, say, outside } = scene;
  const house = async (compartment: number, purpose: string): Promise<Address> => {
    const wallet = await api.write(cast.admin, `/v1/compartments/${compartment}/wallets`, {
      step: `house-${purpose}`,
      body: { chain, purpose },
    });
    return parseAddress(words(wallet, 'address'));
  };
  const gas = await house(1, 'gas');
  await house(2, 'fees');
  await outside.pay(0n, gas, 5n * ether);
  say('The house has a gas wallet (compartment 1, funded with 5 ETH of its own) and a fee wallet (compartment 2).');
  const admitted: Admitted[] = [];
  for (const client of clients) admitted.push(await admit(scene, client));
  say(
    'Four clients are admitted, each with its agreement on record. Two have a vault of their own, a contract, and two share one.',
  );
  say(
    'The two chose destinations, limits and a way out, and signed them: Aurora with an account, Boreas with a passkey. No process',
  );
  say('of the custodian has such a key.');
  await enrol(scene, admitted);
  const players: Player[] = [];
  for (const one of admitted) players.push(await addressed(scene, one));
  say(
    'The signers certify each vault with all its terms; a backup elsewhere and the client hold the certificate before anybody',
  );
  say('sees the address. No vault is deployed yet. Clients of the pool have an address each, with a key of the pool.');
  const [aurora, boreas, celsus, delphi] = players;
  invariant(
    aurora !== undefined && boreas !== undefined && celsus !== undefined && delphi !== undefined,
    'Four clients were admitted.',
  );
  const spare = await api.write(cast.admin, `/v1/compartments/${celsus.compartment}/wallets`, {
    step: 'unassigned',
    body: { chain, purpose: 'unassigned' },
  });
  return { aurora, boreas, celsus, delphi, nobody: parseAddress(words(spare, 'address')) };
}

async function admit(scene: Scene, client: Client): Promise<Admitted> {
  const { api, cast } = scene;
  const created = await api.write(cast.operator, '/v1/clients', {
    step: `client-${client.key}`,
    body: {
      reference: client.name,
      kind: 'legal',
      segregation: client.segregation,
      agreement: {
        parties: `The custodian and ${client.name}`,
        service: 'Custody and administration of crypto-assets on behalf of the client',
        custodyPolicy: `Keys, addresses and books apart: ${client.segregation} segregation`,
        communication: 'API with personal credentials; letters to the registered seat',
        security: 'Four eyes on every withdrawal; daily reconciliation at a pinned block',
        fees: 'By separate schedule, charged in the asset',
        applicableLaw: 'Law of the member state of the custodian',
        signedAt: '2026-01-02T09:00:00Z',
      },
    },
  });
  const id = words(created, 'id');
  const { name, segregation } = client;
  if (client.segregation === 'omnibus') {
    return { name, id, key: client.key, segregation, compartment: poolNumber, vault: undefined };
  }
  const agreed = await agreeOnVault(scene, { name: client.vault, holder: { clientId: id } });
  const { compartment } = agreed;
  return { name, id, key: client.key, segregation, compartment, vault: { ...agreed, name: client.vault } };
}

async function addressed(scene: Scene, { vault, key, ...admitted }: Admitted): Promise<Player> {
  const address =
    vault === undefined
      ? await addressOf(scene, admitted, 'first')
      : await receiveVault(scene, vault.name, vault.vaultId);
  return { ...admitted, address };
}

/** An address of a client in the pool; another one for each occasion. */
export async function addressOf(
  { api, cast, chain }: Scene,
  { id }: Pick<Player, 'id'>,
  occasion: string,
): Promise<Address> {
  const wallet = await api.write(cast.operator, `/v1/clients/${id}/wallets`, {
    step: `wallet-${occasion}-${id}`,
    body: { chain },
  });
  return parseAddress(words(wallet, 'address'));
}

/** One list for all of them, one signature of each person under the digest of the list: so it works for ten thousand as well. */
async function enrol({ signatories, chain, say }: Scene, all: readonly Admitted[]): Promise<void> {
  const destination = ({ id, compartment }: Admitted, address: Address, label: string): object => ({
    item: 'destination',
    client: id,
    compartment,
    chain,
    address,
    label,
  });
  const named = (name: string): Admitted => {
    const found = all.find((one) => one.name === name);
    invariant(found !== undefined, `${name} was admitted.`);
    return found;
  };
  const version = await signatories.changeRegistry('operator', {
    step: 'registry-clients',
    kind: 'enrolment',
    items: [
      ...all.map(({ id, compartment }) => ({ item: 'client', client: id, compartment })),
      ...all.map((one) => destination(one, clientsOwn, `Own wallet of ${one.name}`)),
      destination(named('Delphi Fund'), stage.door, 'Contract with a door'),
      destination(named('Boreas Capital'), seller, 'Seller of a building'),
      ...all.flatMap(({ vault }) => (vault === undefined ? [] : [vault.item])),
    ],
  });
  say(
    `Clients, destinations and vaults are enrolled with the signers in one list, one signature of each of two people: registry version ${version}.`,
  );
}
