import {
  type Address,
  type AssetId,
  type ChainId,
  formatDecimal,
  invariant,
  nativeAsset,
  parseAddress,
  tokenAsset,
} from '@bulkhead/domain';
import { type ApiUser, type Cast, field, itemsIn, numberIn, until, words } from './client.ts';
import { type Outside, clientsOwn, stage } from './outside.ts';
import type { Signatories } from './people.ts';

const ether = 10n ** 18n;
const dollar = 10n ** 6n;

/** Where the story takes place. */
export type Scene = {
  readonly api: ApiUser;
  readonly cast: Cast;
  readonly signatories: Signatories;
  /** People who must approve a withdrawal, as the rules of the signer have it. */
  readonly approvals: number;
  readonly outside: Outside;
  readonly chain: ChainId;
  readonly say: (line: string) => void;
};

/** A client of the demonstration, as far as the API told. */
export type Player = {
  readonly name: string;
  readonly id: string;
  readonly segregation: 'individual' | 'omnibus';
  readonly compartment: number;
  readonly address: Address;
};

export type Players = {
  readonly aurora: Player;
  readonly boreas: Player;
  readonly celsus: Player;
  readonly delphi: Player;
  readonly nobody: Address;
};

const clients = [
  { key: 'aurora', name: 'Aurora Pension', segregation: 'individual' },
  { key: 'boreas', name: 'Boreas Capital', segregation: 'individual' },
  { key: 'celsus', name: 'Celsus Trading', segregation: 'omnibus' },
  { key: 'delphi', name: 'Delphi Fund', segregation: 'omnibus' },
] as const;

/** Plays the main job of a custodian through the public API, from the first client to a theft that is found. */
export async function playStory(scene: Scene): Promise<Players> {
  const players = await settleIn(scene);
  await enrol(scene, players);
  await payIn(scene, players);
  await creditAll(scene, players);
  await sweepPool(scene);
  await withdrawals(scene, players);
  await failOnChain(scene, players);
  await reconcileClean(scene);
  await theft(scene, players);
  return players;
}

/** The theft is the last act; the break it leaves stays on record, also when it is resolved. */
export async function wasPlayed({ api, cast }: Scene): Promise<boolean> {
  return (await api.list(cast.operator, '/v1/breaks?type=missing-movement')).length > 0;
}

async function settleIn(scene: Scene): Promise<Players> {
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
  const found: Player[] = [];
  for (const client of clients) found.push(await admit(scene, client));
  const [aurora, boreas, celsus, delphi] = found;
  invariant(
    aurora !== undefined && boreas !== undefined && celsus !== undefined && delphi !== undefined,
    'Four clients were admitted.',
  );
  const spare = await api.write(cast.admin, `/v1/compartments/${celsus.compartment}/wallets`, {
    step: 'unassigned',
    body: { chain, purpose: 'unassigned' },
  });
  say(
    'Four clients are admitted: agreement recorded, address issued. Two have a compartment of their own, two share one.',
  );
  return { aurora, boreas, celsus, delphi, nobody: parseAddress(words(spare, 'address')) };
}

async function admit(scene: Scene, client: (typeof clients)[number]): Promise<Player> {
  const { api, cast, chain } = scene;
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
  const wallet = await api.write(cast.operator, `/v1/clients/${id}/wallets`, {
    step: `wallet-${client.key}`,
    body: { chain },
  });
  return {
    name: client.name,
    id,
    segregation: client.segregation,
    compartment: numberIn(wallet, 'compartment'),
    address: parseAddress(words(wallet, 'address')),
  };
}

/** One list for all of them, one signature of each person under the digest of the list: so it works for ten thousand as well. */
async function enrol({ signatories, chain, say }: Scene, { aurora, boreas, celsus, delphi }: Players): Promise<void> {
  const destination = (player: Player, address: Address, label: string): object => ({
    item: 'destination',
    client: player.id,
    compartment: player.compartment,
    chain,
    address,
    label,
  });
  const all = [aurora, boreas, celsus, delphi];
  const version = await signatories.changeRegistry('operator', {
    step: 'registry-clients',
    kind: 'enrolment',
    items: [
      ...all.map(({ id, compartment }) => ({ item: 'client', client: id, compartment })),
      ...all.map((player) => destination(player, clientsOwn, `Own wallet of ${player.name}`)),
      destination(boreas, stage.door, 'Contract with a door'),
    ],
  });
  say(
    `Clients and destinations are enrolled with the signer in one list, one signature of each of two people: registry version ${version}.`,
  );
}

async function payIn({ outside, say }: Scene, players: Players): Promise<void> {
  const { aurora, boreas, celsus, delphi, nobody } = players;
  await outside.pay(1n, aurora.address, 3n * ether);
  await outside.payToken(2n, aurora.address, 5_000n * dollar);
  await outside.payInside(3n, boreas.address, 2n * ether);
  await outside.pay(4n, celsus.address, 4n * ether);
  await outside.payToken(5n, celsus.address, 9_000n * dollar);
  await outside.pay(6n, delphi.address, ether + ether / 2n);
  await outside.payToken(7n, delphi.address, 1_000n * dollar);
  await outside.pay(8n, nobody, ether / 4n);
  await outside.pay(9n, aurora.address, 1n);
  say('Strangers pay in: ETH and bUSD to the clients, one of them by a call inside a contract, one to an address');
  say('that no client has, and one wei of dust.');
}

const inCoin = (wei: string): string => formatDecimal(BigInt(wei), 18);

const depositsExpected = 10;

/** Final before credited, credited before swept; a second person releases what no screening has cleared. */
async function creditAll(scene: Scene, players: Players): Promise<void> {
  const { api, cast, chain, say } = scene;
  const deposits = await until('all deposits to be final', async () => {
    const all = await api.list(cast.operator, `/v1/deposits?chain=${chain}`);
    const final = all.filter((deposit) => !['detected', 'removed'].includes(words(deposit, 'state')));
    return final.length >= depositsExpected ? all : undefined;
  });
  for (const deposit of deposits) {
    if (field(deposit, 'disposition') !== 'client') continue;
    const id = words(deposit, 'id');
    await api.ask(cast.approvers[0], `/v1/deposits/${id}/release`, { step: `propose-${id}` });
    await api.ask(cast.approvers[1], `/v1/deposits/${id}/release`, { step: `confirm-${id}` });
  }
  await until('the deposits to be released', async () => {
    const all = await api.list(cast.operator, `/v1/deposits?chain=${chain}`);
    const waiting = all.filter(
      (deposit) => field(deposit, 'disposition') === 'client' && words(deposit, 'state') === 'final',
    );
    return waiting.length === 0 ? true : undefined;
  });
  const delphi = await balance(scene, { client: players.delphi.id, asset: nativeAsset(chain) });
  say(
    `Final and booked; nobody screens here, so two people released each one. Delphi Fund may dispose of ${inCoin(delphi)} ETH`,
  );
  say('before any coin of the pool was swept. Dust and the unassigned payment stand in suspense.');
}

async function balance({ api, cast }: Scene, of: { client: string; asset: AssetId }): Promise<string> {
  const found = (await api.list(cast.operator, `/v1/clients/${of.client}/balances`)).find(
    (one) => field(one, 'asset') === of.asset,
  );
  return found === undefined ? '0' : words(found, 'available');
}

async function sweepPool(scene: Scene): Promise<void> {
  const { api, cast, chain, say } = scene;
  const answer = await api.ask(cast.operator, '/v1/sweeps', {
    step: 'sweep-pool',
    body: { compartment: 10_000, chain },
  });
  invariant(answer.status < 300, `The sweep was refused: ${JSON.stringify(answer.body)}`);
  const started = itemsIn(answer.body).length;
  await until('the sweeps to settle', async () => {
    const open = (await api.list(cast.operator, `/v1/sweeps?chain=${chain}`)).filter(
      (sweep) => !['settled', 'failed', 'cancelled'].includes(words(sweep, 'state')),
    );
    return open.length === 0 ? true : undefined;
  });
  say(`${started} sweeps brought the pool's coins to its wallet; the house granted the gas, claims did not change.`);
}

type Wish = {
  readonly step: string;
  readonly player: Player;
  readonly asset: AssetId;
  readonly amount: bigint;
  readonly to: Address;
  readonly feePayer: string;
};

async function request({ api, cast }: Scene, wish: Wish): Promise<string> {
  const withdrawal = await api.write(cast.operator, '/v1/withdrawals', {
    step: wish.step,
    body: {
      clientId: wish.player.id,
      asset: wish.asset,
      amount: wish.amount.toString(),
      destination: wish.to,
      feePayer: wish.feePayer,
    },
  });
  const id = words(withdrawal, 'id');
  await until(`withdrawal ${id} to be screened`, async () => {
    const state = await stateOf({ api, cast }, id);
    return state === 'requested' ? undefined : state;
  });
  return id;
}

async function stateOf({ api, cast }: Pick<Scene, 'api' | 'cast'>, id: string): Promise<string> {
  return words(await api.read(cast.operator, `/v1/withdrawals/${id}`), 'state');
}

async function release({ api, cast }: Scene, id: string): Promise<void> {
  await api.ask(cast.approvers[0], `/v1/withdrawals/${id}/release`, { step: `release-${id}` });
}

/** The requester signs what the server made of the wish, then two others do. Each of them reads the same text. */
async function approve(scene: Scene, id: string): Promise<void> {
  const { signatories } = scene;
  await release(scene, id);
  await signatories.signRequest('operator', id);
  await signatories.approveWithdrawal('approver-1', id);
  await signatories.approveWithdrawal('approver-2', id);
}

/** Somebody with a stolen token takes an approval that was given for one payment and hands it in for another. */
async function forge(scene: Scene, { id, approvedFor }: { id: string; approvedFor: string }): Promise<void> {
  await release(scene, id);
  await scene.signatories.signRequest('operator', id);
  const answer = await scene.signatories.presentForeign('approver-1', { withdrawal: id, approvedFor });
  const code = field(answer.body, 'code');
  scene.say(
    `Somebody who took over an approver's access hands in the approval of one payment for another: the signer refuses (${typeof code === 'string' ? code : answer.status}).`,
  );
}

async function ended(scene: Scene, id: string): Promise<string> {
  return until(`withdrawal ${id} to end`, async () => {
    const state = await stateOf(scene, id);
    return ['settled', 'failed', 'rejected', 'cancelled', 'expired'].includes(state) ? state : undefined;
  });
}

async function withdrawals(scene: Scene, { aurora, celsus, delphi }: Players): Promise<void> {
  const { api, cast, chain, say } = scene;
  const coin = nativeAsset(chain);
  const token = tokenAsset(chain, stage.token);
  const first = await request(scene, {
    step: 'wd-coin',
    player: aurora,
    asset: coin,
    amount: ether,
    to: clientsOwn,
    feePayer: 'client',
  });
  const second = await request(scene, {
    step: 'wd-token',
    player: celsus,
    asset: token,
    amount: 2_500n * dollar,
    to: clientsOwn,
    feePayer: 'house',
  });
  const third = await request(scene, {
    step: 'wd-rejected',
    player: delphi,
    asset: coin,
    amount: ether,
    to: clientsOwn,
    feePayer: 'client',
  });
  await approve(scene, first);
  await approve(scene, second);
  await forge(scene, { id: third, approvedFor: first });
  await api.ask(cast.approvers[1], `/v1/withdrawals/${third}/rejection`, {
    step: `reject-${third}`,
    body: { reason: 'The client did not confirm the destination by phone.' },
  });
  const ends = [await ended(scene, first), await ended(scene, second), await ended(scene, third)];
  say(
    `Withdrawals: 1 ETH of Aurora ${ends[0] ?? ''}, 2500 bUSD of Celsus from the pool ${ends[1] ?? ''}; 1 ETH of Delphi ${ends[2] ?? ''}`,
  );
  say('by an approver and returned to the claim.');
}

/** The payment is fine when it is estimated and signed; then the recipient's door shuts, and it fails in its block. */
async function failOnChain(scene: Scene, { boreas }: Players): Promise<void> {
  const { chain, outside, say } = scene;
  const id = await request(scene, {
    step: 'wd-failing',
    player: boreas,
    asset: nativeAsset(chain),
    amount: ether / 2n,
    to: stage.door,
    feePayer: 'client',
  });
  if (!(await outside.doorIsShut())) {
    await outside.holdBlocks(true);
    try {
      await approve(scene, id);
      await until('the withdrawal to be broadcast', async () => {
        const state = await stateOf(scene, id);
        return ['broadcast', 'failed', 'settled'].includes(state) ? state : undefined;
      });
      await outside.shutDoor();
    } finally {
      await outside.mine(1);
      await outside.holdBlocks(false);
    }
  } else {
    await approve(scene, id);
  }
  say(
    `0.5 ETH of Boreas to a contract that refused it when it was mined: ${await ended(scene, id)}; only the network fee is gone.`,
  );
}

export async function reconcile(
  { api, cast, chain }: Scene,
  step: string,
): Promise<{ id: string; breaks: readonly unknown[] }> {
  const reconciliation = await api.write(cast.operator, '/v1/reconciliations', { step, body: { chain } });
  return { id: words(reconciliation, 'id'), breaks: await api.list(cast.operator, '/v1/breaks?state=open') };
}

async function reconcileClean(scene: Scene): Promise<void> {
  await quiet(scene);
  const { id, breaks } = await reconcile(scene, 'reconcile-clean');
  scene.say(`Reconciliation ${id} at a pinned final block: ${breaks.length} breaks.`);
}

/** Waits until the books are made up to the head, so that a reconciliation sees everything that happened. */
async function quiet({ api, cast, chain, outside }: Scene): Promise<void> {
  const head = BigInt(String(await outside.rpc('eth_blockNumber')));
  await outside.mine(3);
  await until('the books to reach the head of the chain', async () => {
    const view = await api.read(cast.operator, `/v1/chains/${chain}`);
    const booked = field(view, 'booked');
    return typeof booked === 'string' && BigInt(booked) >= head ? true : undefined;
  });
}

async function theft(scene: Scene, { aurora, boreas }: Players): Promise<void> {
  const { api, cast, chain, outside, say } = scene;
  await outside.steal(boreas.address, ether / 5n);
  await quiet(scene);
  const { breaks } = await reconcile(scene, 'reconcile-theft');
  for (const one of breaks) {
    say(
      `A thief took 0.2 ETH from Boreas: the next reconciliation finds a break of type ${words(one, 'type')}, difference ${inCoin(words(one, 'difference'))} ETH,`,
    );
    say('the 0.2 and the fee that the thief burnt.');
  }
  const wish = (player: Player, amount: bigint): object => ({
    clientId: player.id,
    asset: nativeAsset(chain),
    amount: amount.toString(),
    destination: clientsOwn,
    feePayer: 'client',
  });
  const stopped = await api.ask(cast.operator, '/v1/withdrawals', {
    step: 'wd-frozen',
    body: wish(boreas, ether / 10n),
  });
  const allowed = await api.ask(cast.operator, '/v1/withdrawals', {
    step: 'wd-not-frozen',
    body: wish(aurora, ether / 10n),
  });
  const code = field(stopped.body, 'code');
  say(
    `Withdrawals of Boreas are stopped (${typeof code === 'string' ? code : stopped.status}); Aurora's go on (HTTP ${allowed.status}).`,
  );
}
