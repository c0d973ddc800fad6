import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nobleHashes, parseList } from '@bulkhead/authority';
import { demoToken } from '@bulkhead/contracts';
import { type Address, parseAddress, tokenAsset } from '@bulkhead/domain';
import {
  bytesOf,
  callData,
  nativeToken,
  parseVaultConfig,
  parseWord,
  typedDigest,
  vaultCalls,
  vaultDomain,
  vaultForms,
} from '@bulkhead/vaults';
import { encodeFunctionData } from 'viem';
import { accountInHand, type KeyInHand } from '../src/demonstration/client-keys.ts';
import { field, words } from '../src/demonstration/client.ts';
import {
  admit,
  agreement,
  approve,
  chain,
  changeRegistry,
  coin,
  deposit,
  ether,
  firstOf,
  type House,
  type Seen,
  settled,
  until,
} from './house.ts';

const [first, second] = [parseAddress(`0x${'0d'.repeat(20)}`), parseAddress(`0x${'0e'.repeat(20)}`)];
const refuge = parseAddress(`0x${'0f'.repeat(20)}`);

/** A house with a client whose vault has coin, and what the client has in hand. */
export type Town = {
  readonly house: House;
  readonly clientId: string;
  readonly vaultId: string;
  readonly address: Address;
  readonly compartment: number;
  readonly exitKey: KeyInHand;
};

/** Time of the chain passes, and is final: a node that mines nothing has no later time. */
async function passes({ node }: House, seconds: number): Promise<void> {
  await node.call('evm_increaseTime', seconds);
  await node.mine(4);
}

export async function settleIn(house: House, data: string): Promise<Town> {
  const { desk, node, stranger } = house;
  for (const [compartment, purpose] of [
    [1, 'gas'],
    [2, 'fees'],
  ] as const) {
    const wallet = await desk.post(`/v1/compartments/${compartment}/wallets`, { chain, purpose }, 'admin');
    if (purpose === 'gas') await node.send({ from: stranger, to: parseAddress(wallet.address), value: 10n * coin });
  }
  const created = await desk.post(
    '/v1/clients',
    { reference: 'C-vault', kind: 'legal', segregation: 'individual' },
    'operator',
  );
  await desk.post(`/v1/clients/${created.id}/agreements`, agreement, 'operator');
  const client = accountInHand(join(data, 'client.key'));
  const exitKey = accountInHand(join(data, 'exit.key'));
  const drafted = await desk.post(
    '/v1/vaults',
    {
      chain,
      clientId: created.id,
      clientKey: client.key,
      exitKey: exitKey.key,
      exitDestination: refuge,
      destinations: [first, second],
      limits: [{ token: nativeToken, cap: String(2n * coin) }],
    },
    'operator',
  );
  const signed = async (by: KeyInHand, toSign: unknown): Promise<string> =>
    by.sign(bytesOf(parseWord(words(toSign, 'digest'))));
  const signature = await signed(client, field(drafted, 'agreement'));
  const path = `/v1/vaults/${drafted.id}`;
  await desk.post(`${path}/agreement`, { signature }, 'operator');
  const { id: clientId } = created;
  const { id: vaultId, compartment } = drafted;
  const terms = { config: field(drafted, 'configuration'), policy: field(drafted, 'policy') };
  const destination = (address: Address): object => ({
    item: 'destination',
    client: clientId,
    compartment,
    chain,
    address,
    label: address.slice(0, 10),
  });
  await changeRegistry(desk, 'enrolment', [
    { item: 'client', client: clientId, compartment },
    destination(first),
    destination(second),
    { item: 'vault', chain, compartment, client: clientId, tier: 'hot', ...terms, agreement: signature.slice(2) },
  ]);
  const certified = await desk.post(`${path}/certificate`, undefined, 'operator');
  const issued = await desk.post(
    `${path}/receipt`,
    { signature: await signed(client, field(certified, 'receipt')) },
    'operator',
  );
  const address = parseAddress(issued.address);
  await deposit(house, { id: clientId, address, compartment }, 5n * coin);
  return { house, clientId, vaultId, address, compartment, exitKey };
}

async function pays({ house, clientId }: Town, destination: Address): Promise<Seen> {
  const { desk } = house;
  const asked = await desk.post(
    '/v1/withdrawals',
    { clientId, asset: ether, amount: String(coin / 10n), destination },
    'operator',
  );
  await approve(desk, asked.id);
  return settled(desk, asked.id);
}

/** Two people sign the intent of what was asked for. */
async function approved({ house }: Town, path: string): Promise<void> {
  const { desk } = house;
  const { intent } = await desk.get(`${path}/intent`);
  for (const person of ['approver-1', 'approver-2'] as const) {
    await desk.post(`${path}/approvals`, { approval: await desk.signature(person, intent.canonical) }, person);
  }
}

async function reaches({ house }: Town, path: string, state: string): Promise<Seen> {
  return until(`${path} to be ${state}`, async () => {
    const seen = await house.desk.get(path);
    return seen.state === state && seen;
  });
}

/** Fee, lower limit, removal, pause. */
export async function changesOfCustodian(town: Town): Promise<void> {
  const { house, clientId, vaultId } = town;
  const { desk } = house;
  await pays(town, first);
  await desk.post('/v1/fees', { clientId, asset: ether, amount: '1000000', description: 'A month' }, 'operator');
  for (const due of ['0', '1000000']) {
    // Not before the server has seen how late it is on the chain.
    const { id } = await until('the fee to be due', async () => {
      const ask = { person: 'operator', body: { clientId, asset: ether }, key: randomUUID() } as const;
      const { status, body } = await desk.ask('POST', '/v1/fee-payments', ask);
      return status < 300 && body;
    });
    assert.equal((await reaches(town, `/v1/fee-payments/${id}`, 'settled')).amount, due);
    await passes(house, 3_600);
  }
  for (const restriction of [
    { kind: 'limit-lowering', asset: ether, cap: String(coin), window: 'listed' },
    { kind: 'destination-removal', destination: second },
    { kind: 'pause' },
  ]) {
    const asked = await desk.post(`/v1/vaults/${vaultId}/restrictions`, restriction, 'operator');
    const path = `/v1/vault-restrictions/${asked.id}`;
    await approved(town, path);
    await reaches(town, path, 'applied');
  }
  const onChain = field(await desk.get(`/v1/vaults/${vaultId}`), 'onChain');
  assert.deepEqual(field(onChain, 'limits'), [{ token: nativeToken, cap: String(coin) }]);
  assert.notEqual(field(field(onChain, 'pausedUntil'), 'quorum'), null);
  const refused = await desk.ask('POST', '/v1/withdrawals', {
    person: 'operator',
    body: { clientId, asset: ether, amount: '1', destination: second },
    key: 'removed',
  });
  assert.equal(refused.body.code, 'vault/destination-not-listed');
  await passes(house, 10);
  await pays(town, first);
}

/** A key that the client has lost: the first recovery is vetoed by the key that is left, the second one comes into force. */
export async function recoversKey(town: Town): Promise<void> {
  const { house, vaultId, address, exitKey } = town;
  const { desk, node, stranger } = house;
  const newKey = { kind: 'secp256k1', address: parseAddress(`0x${'c1'.repeat(20)}`) };
  const asks = async (): Promise<string> => {
    const asked = await desk.post(`/v1/vaults/${vaultId}/key-recoveries`, { role: 'client', newKey }, 'operator');
    const path = `/v1/key-recoveries/${asked.id}`;
    await approved(town, path);
    await reaches(town, path, 'queued');
    return path;
  };
  const vetoed = await asks();
  const change = parseWord(words(await desk.get(vetoed), 'change'));
  const message = { side: 'exit', change, nonce: 0n, deadline: 2n ** 40n } as const;
  const signature = await exitKey.sign(
    typedDigest(nobleHashes, vaultDomain(chain, address), { form: vaultForms.veto, message }),
  );
  const config = parseVaultConfig(field(await desk.get(`/v1/vaults/${vaultId}`), 'configuration'));
  const data = callData(nobleHashes, vaultCalls.veto, { config, message, signature });
  assert.ok((await node.send({ from: stranger, to: address, data })).succeeded);
  await reaches(town, vetoed, 'vetoed');
  const again = await asks();
  await passes(house, 10);
  await reaches(town, again, 'executed');
  const onChain = field(await desk.get(`/v1/vaults/${vaultId}`), 'onChain');
  assert.equal(words(onChain, 'clientKey'), `0x${newKey.address.slice(2).padStart(64, '0')}`);
}

/** An address of a pool that works with keys has tokens and no coin. */
export async function sweepsByDelegate({ house }: Town): Promise<void> {
  const { desk, node, stranger } = house;
  const token = await node.deploy(stranger, demoToken.bytecode);
  const asset = tokenAsset(chain, token);
  await desk.post('/v1/assets', { asset, symbol: 'TOK', decimals: 0, behaviour: 'standard', dustMax: '0' }, 'admin');
  await desk.post('/v1/compartments/10000/wallets', { chain, purpose: 'pool' }, 'admin');
  const member = await admit(desk, 'C-pool', 'omnibus');
  const data = encodeFunctionData({ abi: demoToken.abi, functionName: 'mint', args: [member.address, 900n] });
  assert.ok((await node.send({ from: stranger, to: token, data })).succeeded);
  await until(
    'the tokens to be final',
    async () => (await desk.get(`/v1/deposits?clientId=${member.id}&state=final`)).items.length > 0,
  );
  const [wallet] = (await desk.get(`/v1/clients/${member.id}/wallets`)).items;
  const { items } = await desk.post('/v1/sweeps', { walletId: wallet?.id, asset }, 'operator');
  const { id } = firstOf(items);
  await until('the sweep to be settled', async () => (await desk.get(`/v1/sweeps/${id}`)).state === 'settled');
  assert.equal(await node.call('eth_getBalance', member.address, 'latest'), '0x0', 'no coin was ever sent there');
}

/** One signer leaves the set and another one has a new key; then the vault is paid by the two that are left. */
export async function changesSigners(town: Town, note: string): Promise<void> {
  const { house } = town;
  const { desk } = house;
  const installation: unknown = JSON.parse(readFileSync(note, 'utf8'));
  const system = parseList(words(installation, 'vaultSystems')).find(({ item }) => item === 'vault-system');
  assert.ok(system?.item === 'vault-system');
  const key = { item: 'wallet', compartment: 3, key: '1', tier: 'hot', purpose: 'vault-signer' };
  await changeRegistry(desk, 'policy-change', [key]);
  const members = async (): Promise<readonly (readonly string[])[]> => {
    const signers = field(await desk.get('/v1/signer'), 'signers');
    assert.ok(Array.isArray(signers));
    return signers.map((one: unknown) => {
      const own = field(one, 'members');
      assert.ok(Array.isArray(own));
      return own.map(String);
    });
  };
  const [ofFirst, , ofThird] = await until('every signer to have two keys', async () => {
    const own = await members();
    return own.every(({ length }) => length === 2) && own;
  });
  const stays = system.members.find((one) => ofFirst?.some((own) => parseAddress(own) === one));
  const comes = ofThird?.map((own) => parseAddress(own)).find((own) => !system.members.includes(own));
  const goes = system.members.find((one) => ofThird?.some((own) => parseAddress(own) === one));
  assert.ok(stays !== undefined && comes !== undefined && goes !== undefined);
  // The registry lists the new key first: a signer signs with the key of its own that is listed.
  const listed = system.members.map((one) => (one === goes ? comes : one)).toSorted();
  const { codeHashes, ...entry } = system;
  const digits = Object.fromEntries(Object.entries(codeHashes).map(([name, hash]) => [name, hash.slice(2)]));
  await changeRegistry(desk, 'policy-change', [{ ...entry, codeHashes: digits, members: listed }]);

  const next = [stays, comes].toSorted();
  const asked = await desk.post('/v1/signer-set-changes', { chain, members: next, threshold: 2 }, 'operator');
  const path = `/v1/signer-set-changes/${asked.id}`;
  await approved(town, path);
  await reaches(town, path, 'signed');
  const standing = async (): Promise<unknown> => {
    const chains = field(await desk.get(path), 'chains');
    assert.ok(Array.isArray(chains));
    return field(chains[0], 'state');
  };
  await until('the change to be queued', async () => (await standing()) === 'queued');
  await passes(house, 10);
  await until('the change to be in force', async () => (await standing()) === 'in-force');
  const { id } = await pays(town, first);
  const [row] = await house.database.owner.query('select grants from custody.vault_dispatch where subject = $1', [id]);
  const grants: unknown = row?.['grants'];
  assert.ok(Array.isArray(grants));
  assert.deepEqual(grants.map((one: unknown) => words(one, 'member')).toSorted(), next);
}
