import {
  type ChainId,
  type Compartment,
  CustodyError,
  houseFees,
  houseGas,
  kindOf,
  parseAddress,
  type KeyRef,
  type Refused,
  refuse,
} from '@bulkhead/domain';
import { forwarderAddress, forwarderSalt } from '@bulkhead/vaults';
import { bigint, only, type Queries, type Row, type Transaction } from '@bulkhead/postgres';
import { certifiedAddress, ensureAccountKey, ensureWalletKey } from './certified-key.ts';
import { type ClientView, ensureCompartment, ensurePool, expectCompartment, findClient } from './client.ts';
import { type Answer, commandAfterAsking, isRefused, notFound, refuseCommand, type WriteCall } from './command.ts';
import type { Actor, Custody } from './custody.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';
import { forbiddenModel } from './jurisdiction.ts';
import { hashes } from './keccak.ts';
import { compartmentVault, type Vault } from './vault-row.ts';
import { expectVaultsOn, vaultsOn } from './vault-chain.ts';
import { compartmentWallets, findWallet, proven, provenView, type WalletPurpose, type WalletView } from './wallet.ts';

type Issue = {
  readonly chain: ChainId;
  readonly compartment: Compartment;
  readonly client?: string;
  readonly purpose: WalletPurpose;
  readonly actor: Actor;
  readonly now: Date;
  /** Of a key of its own; without it the next one in the tree of the seed. */
  readonly keyLabel?: string;
};

/**
 * Takes the next index of a compartment. The counter row is locked from reading it to the commit, so an index is given out once;
 * a crash before the commit gives it out again, and nobody has seen the address yet.
 */
async function nextKey(tx: Transaction, { chain, compartment, keyLabel }: Issue): Promise<KeyRef> {
  if (keyLabel !== undefined) return { compartment, label: keyLabel };
  return { compartment, index: await nextIndex(tx, { chain, compartment }) };
}

async function nextIndex(
  tx: Transaction,
  { chain, compartment }: Pick<Issue, 'chain' | 'compartment'>,
): Promise<number> {
  await tx.query('insert into custody.address_counter (chain, compartment) values ($1, $2) on conflict do nothing', [
    chain,
    compartment,
  ]);
  const counter = only(
    await tx.query('select next_index from custody.address_counter where chain = $1 and compartment = $2 for update', [
      chain,
      compartment,
    ]),
  );
  const index = Number(bigint(counter, 'next_index'));
  await tx.query('update custody.address_counter set next_index = $3 where chain = $1 and compartment = $2', [
    chain,
    compartment,
    index + 1,
  ]);
  return index;
}

async function issue(custody: Custody, tx: Transaction, order: Issue): Promise<WalletView> {
  const { chain, compartment, now } = order;
  const key = await nextKey(tx, order);
  const { address, residency } = await certifiedAddress(custody, tx, key);
  const id = newId('wal', now);
  const row = only(
    await tx.query(
      `insert into custody.wallet (id, chain, compartment, key_index, key_label, address, client, purpose, residency, created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning *`,
      [
        id,
        chain,
        compartment,
        'index' in key ? key.index : null,
        'label' in key ? key.label : null,
        address,
        order.client ?? null,
        order.purpose,
        residency,
        now,
      ],
    ),
  );
  await record(tx, now, {
    actor: order.actor,
    subject: id,
    event: 'address-issued',
    data: { chain, ...key, address },
  });
  return provenView(custody, tx, row);
}

function chainKnown(custody: Custody, chain: ChainId): void {
  if (!custody.chains.has(chain)) {
    const known = [...custody.chains.keys()].join(', ');
    throw new CustodyError('chain/unknown', `${chain} is not configured; configured are: ${known}.`);
  }
}

/** Times that an issue begins anew because the client's model changed at the same moment. */
const modelChangesMax = 3;

/** The compartment, or where its addresses are, is another than what was asked about. */
class CompartmentChanged extends CustodyError {
  constructor(client: string) {
    super(
      'database/busy',
      `The segregation model of client ${client} changed at this moment: ask again with the same key.`,
    );
  }
}

/**
 * Issues a deposit address to a client, in the compartment that the client's segregation model gives on that chain.
 *
 * @throws CustodyError `signer/unavailable` for a compartment whose account key was never certified while nobody answers
 */
export async function issueClientWallet(
  custody: Custody,
  call: WriteCall,
  input: { clientId: string; chain: ChainId },
): Promise<Answer<WalletView>> {
  chainKnown(custody, input.chain);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await provenAnswer(custody, await issueToClient(custody, call, input));
    } catch (error) {
      if (!(error instanceof CompartmentChanged) || attempt === modelChangesMax) throw error;
    }
  }
}

async function issueToClient(
  custody: Custody,
  call: WriteCall,
  { clientId, chain }: { clientId: string; chain: ChainId },
): Promise<Answer<WalletView>> {
  return commandAfterAsking<Site, WalletView>(custody, call, {
    ask: async () => {
      const client = await withAgreement(custody.db, clientId);
      if (isRefused(client)) return client;
      // In a transaction of its own: the signer certifies the key of the compartment, and is not asked with rows locked. A crash
      // after it leaves a compartment without an address, which the retry finds.
      const now = custody.clock.now();
      const compartment = await custody.db.transaction((tx) => expectCompartment(custody, tx, { client, chain, now }));
      const place = await placeOf(custody, custody.db, { chain, compartment });
      if (place === 'key') await ensureAccountKey(custody, compartment);
      return { compartment, place };
    },
    work: async (tx, now, expected) => {
      const client = await withAgreement(tx, clientId);
      if (isRefused(client)) return client;
      const order = { chain, actor: call.actor, now };
      const compartment = await ensureCompartment(custody, tx, { ...order, client });
      const place = await placeOf(custody, tx, { chain, compartment });
      if (compartment !== expected.compartment || place !== expected.place) throw new CompartmentChanged(clientId);
      // The law may have changed since the client came: the old address is watched on, and no new one is given out there.
      const forbidden = kindOf(compartment) === 'omnibus' ? forbiddenModel(custody, 'omnibus') : undefined;
      if (forbidden !== undefined) return forbidden;
      if (place === 'vault') {
        return issueAtVault(custody, tx, { ...order, compartment, client: client.id });
      }
      if (kindOf(compartment) === 'omnibus') {
        await ensurePurpose(custody, tx, { ...order, compartment, purpose: 'pool' });
      }
      return issue(custody, tx, { ...order, compartment, client: client.id, purpose: 'deposit' });
    },
  });
}

/** Where a client of a compartment gets an address: at the vault of the compartment, or with a key in the tree of the seed. */
type Site = { readonly compartment: Compartment; readonly place: 'vault' | 'key' };

/**
 * On a chain with vaults an individual compartment has nothing else. A pool has keys until its vault is issued; one that never had an
 * address waits for the vault that it is to begin with.
 */
async function placeOf(
  custody: Custody,
  db: Queries,
  { chain, compartment }: { chain: ChainId; compartment: Compartment },
): Promise<Site['place']> {
  if (vaultsOn(custody, chain) === undefined) return 'key';
  if (kindOf(compartment) !== 'omnibus') return 'vault';
  const vault = await compartmentVault(db, chain, compartment);
  if (vault === undefined) return 'key';
  if (vault.step === 'issued') return 'vault';
  return (await compartmentWallets(db, chain, compartment)).some(({ purpose }) => purpose === 'pool') ? 'key' : 'vault';
}

type AtVault = {
  readonly chain: ChainId;
  readonly compartment: Compartment;
  readonly client: string;
  readonly actor: Actor;
  readonly now: Date;
};

/** A client of its own compartment has the vault itself, and one of a pool a forwarder bound to the pool's. */
async function issueAtVault(custody: Custody, tx: Transaction, order: AtVault): Promise<WalletView | Refused> {
  const { chain, compartment, client, now } = order;
  const vault = await compartmentVault(tx, chain, compartment);
  if (vault?.step !== 'issued' || vault.wallet === undefined) return notIssued(order, vault);
  if (kindOf(compartment) === 'individual') {
    return provenView(custody, tx, only(await tx.query('select * from custody.wallet where id = $1', [vault.wallet])));
  }
  const { system } = expectVaultsOn(custody, chain);
  const index = await nextIndex(tx, { chain, compartment });
  const address = forwarderAddress(hashes, system, { vault: vault.address, salt: forwarderSalt(BigInt(index)) });
  const id = newId('wal', now);
  const row = only(
    await tx.query(
      `insert into custody.wallet (id, chain, compartment, address, client, purpose, kind, forwarder_index, vault, created_at)
       values ($1, $2, $3, $4, $5, 'deposit', 'forwarder', $6, $7, $8) returning *`,
      [id, chain, compartment, address, client, index, vault.wallet, now],
    ),
  );
  const data = { chain, compartment, forwarder: index, vault: vault.wallet, address };
  await record(tx, now, { actor: order.actor, subject: id, event: 'address-issued', data });
  return provenView(custody, tx, row);
}

const nextSteps = {
  none: 'draft it with POST /v1/vaults',
  drafted: 'the client key must agree to it (POST /v1/vaults/…/agreement)',
  agreed: 'have the registry of the signers list it, then certify it (POST /v1/vaults/…/certificate)',
  certified: 'the client must acknowledge its certificate (POST /v1/vaults/…/receipt)',
  issued: 'its wallet is missing',
} as const;

function notIssued({ chain, compartment }: AtVault, vault: Vault | undefined): Refused {
  const who = kindOf(compartment) === 'omnibus' ? `Pool ${compartment}` : `Compartment ${compartment}`;
  const named = vault === undefined ? 'no vault' : `vault ${vault.id}, which is ${vault.step}`;
  return refuse(
    'vault/not-issued',
    `${who} has ${named} on ${chain}, and addresses there are those of vaults: ${nextSteps[vault?.step ?? 'none']}.`,
    { chain, compartment, ...(vault === undefined ? {} : { vault: vault.id }) },
  );
}

async function withAgreement(db: Queries, id: string): Promise<ClientView | Refused> {
  const client = await findClient(db, id);
  if (client === undefined) return notFound('client', id);
  if (client.agreementId !== null) return client;
  return refuse(
    'agreement/missing',
    `Client ${client.id} has no custody agreement on record; MiCA article 75(1) wants one before assets are held. Record it with POST /v1/clients/${client.id}/agreements.`,
    { client: client.id },
  );
}

export type CompartmentWalletRequest = {
  readonly compartment: Compartment;
  readonly chain: ChainId;
  readonly purpose: Exclude<WalletPurpose, 'deposit'>;
  /** Label of a key of its own in a hardware module; without it the key comes from the seed. */
  readonly keyLabel?: string;
};

/** Issues an address that belongs to no client: a house wallet, a pool, or a deposit address to be assigned later. */
export async function issueCompartmentWallet(
  custody: Custody,
  call: WriteCall,
  input: CompartmentWalletRequest,
): Promise<Answer<WalletView>> {
  chainKnown(custody, input.chain);
  const { compartment, keyLabel, purpose } = input;
  const answer = await commandAfterAsking(custody, call, {
    ask: async () => {
      const refused = unfit(input);
      if (refused !== undefined) return refused;
      await custody.db.transaction((tx) => ensurePool(tx, compartment, custody.clock.now()));
      if (keyLabel === undefined) await ensureAccountKey(custody, compartment);
      else await ensureWalletKey(custody, { compartment, label: keyLabel });
      return {};
    },
    work: async (tx, now) => {
      const order = { ...input, actor: call.actor, now };
      return purpose === 'unassigned' ? issue(custody, tx, order) : ensurePurpose(custody, tx, order);
    },
  });
  return provenAnswer(custody, answer);
}

function unfit({ compartment, purpose }: CompartmentWalletRequest): Refused | undefined {
  const kind = kindOf(compartment);
  const fits =
    (purpose === 'gas' && compartment === houseGas) ||
    (purpose === 'fees' && compartment === houseFees) ||
    (purpose === 'pool' && kind === 'omnibus') ||
    (purpose === 'unassigned' && (kind === 'omnibus' || kind === 'group'));
  if (fits) return undefined;
  return refuse(
    'compartment/wrong-kind',
    `Compartment ${compartment} (${kind}) takes no ${purpose} wallet: gas belongs in ${houseGas}, fees in ${houseFees}, a pool in an omnibus compartment; individual addresses are issued to their client.`,
    { compartment, purpose },
  );
}

/** The one wallet of a compartment with a purpose, issued on first use. */
async function ensurePurpose(custody: Custody, tx: Transaction, order: Issue): Promise<WalletView> {
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 7403))', [
    `${order.chain} ${order.compartment} ${order.purpose}`,
  ]);
  const [known] = await tx.query(
    'select * from custody.wallet where chain = $1 and compartment = $2 and purpose = $3 order by key_index, key_label limit 1',
    [order.chain, order.compartment, order.purpose],
  );
  return known === undefined ? issue(custody, tx, order) : sameDuty(custody, tx, { known, order });
}

async function sameDuty(
  custody: Custody,
  tx: Transaction,
  { known, order }: { known: Row; order: Issue },
): Promise<WalletView> {
  const view = await provenView(custody, tx, known);
  if (order.keyLabel === undefined || order.keyLabel === view.keyLabel) return view;
  return refuseCommand(
    refuse(
      'wallet/duty-taken',
      `Compartment ${order.compartment} has its ${order.purpose} wallet on ${order.chain}: ${view.id}, with the key ${view.keyLabel ?? view.derivationPath ?? ''}.`,
      { wallet: view.id },
    ),
  );
}

/** An answer that was stored is held against the keys as well: it says where people will pay. */
async function provenAnswer(custody: Custody, answer: Answer<WalletView>): Promise<Answer<WalletView>> {
  if (answer.hit && answer.outcome.status === 'done') {
    const { view } = answer.outcome;
    const wallet = await findWallet(custody.db, view.id);
    if (wallet === undefined) {
      throw new CustodyError('invariant/broken', `Wallet ${view.id} was issued and is not there.`);
    }
    await proven(custody, custody.db, { ...wallet, address: parseAddress(view.address) });
  }
  return answer;
}
