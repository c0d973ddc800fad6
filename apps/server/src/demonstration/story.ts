import {
  type Address,
  type AssetId,
  formatDecimal,
  invariant,
  nativeAsset,
  parseAddress,
  tokenAsset,
} from '@bulkhead/domain';
import { nobleHashes } from '@bulkhead/authority';
import { callData, factoryCalls, forwarderAddress, forwarderSalt, type Hex, nativeToken } from '@bulkhead/vaults';
import { settleIn } from './admission.ts';
import { approve, ended, release, request } from './asking.ts';
import { field, until, words } from './client.ts';
import { clientsOwn, stage } from './outside.ts';
import type { Player, Players, Scene } from './scene.ts';
import { attackVault, payOnce } from './vault-acts.ts';

const ether = 10n ** 18n;
const dollar = 10n ** 6n;

/** Plays the main job of a custodian through the public API, from the first client to a theft that is found. */
export async function playStory(scene: Scene): Promise<Players> {
  const players = await settleIn(scene);
  await payIn(scene, players);
  await creditAll(scene, players);
  await flushPool(scene, players);
  await withdrawals(scene, players);
  await payNobody(scene, players);
  await attackVault(scene, players);
  await payOnce(scene, players);
  await reconcileClean(scene);
  await theft(scene, players);
  return players;
}

/** The theft is the last act; the break it leaves stays on record, also when it is resolved. */
export async function wasPlayed({ api, cast }: Scene): Promise<boolean> {
  return (await api.list(cast.operator, '/v1/breaks?type=missing-movement')).length > 0;
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

/** What came to the addresses of the pool goes to its vault and nowhere else, whoever sends it on: here a stranger does. */
async function flushPool(scene: Scene, { celsus, delphi }: Players): Promise<void> {
  const { outside, say } = scene;
  const { vault, salts } = await forwardersOf(scene, [celsus.address, delphi.address]);
  for (const token of [nativeToken, stage.token]) {
    const data = callData(nobleHashes, factoryCalls.flush, { vault: vault.address, salts, token });
    if (await heldBy(scene, [celsus.address, delphi.address], token)) await outside.relay(vault.factory, data);
  }
  say(
    "A stranger sends on what lies at the two addresses of the pool: it can only go to the pool's vault. No gas was ever sent to",
  );
  say('an address of a client; claims did not change.');
}

async function heldBy({ outside }: Scene, addresses: readonly Address[], token: Address): Promise<boolean> {
  const held = await Promise.all(addresses.map((address) => outside.held(address, token)));
  return held.some((amount) => amount > 0n);
}

/** Forwarders are numbered; anybody works out which number an address has. */
const forwarderNumbersMax = 50n;

async function forwardersOf(
  { api, cast, custody, chain }: Scene,
  addresses: readonly Address[],
): Promise<{ vault: { address: Address; factory: Address }; salts: readonly Hex[] }> {
  const system = custody.vaults?.systems.get(chain);
  invariant(system !== undefined, 'The story has vaults.');
  const [pool] = await api.list(cast.operator, '/v1/vaults?compartment=10000');
  const vault = parseAddress(words(pool, 'address'));
  const salts: Hex[] = [];
  for (let number = 0n; number < forwarderNumbersMax; number += 1n) {
    const salt = forwarderSalt(number);
    if (addresses.includes(forwarderAddress(nobleHashes, system, { vault, salt }))) salts.push(salt);
  }
  invariant(salts.length === addresses.length, 'Each address of the pool is a forwarder.');
  return { vault: { address: vault, factory: system.factory }, salts };
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

/** A recipient that takes nothing: no vault pays it, and the amount stays held until the nonce of the payment is taken. */
async function payNobody(scene: Scene, { delphi }: Players): Promise<void> {
  const { api, cast, chain, outside, say } = scene;
  if (!(await outside.doorIsShut())) await outside.shutDoor();
  const id = await request(scene, {
    step: 'wd-shut',
    player: delphi,
    asset: nativeAsset(chain),
    amount: ether / 2n,
    to: stage.door,
    feePayer: 'house',
  });
  await approve(scene, id);
  await api.ask(cast.operator, `/v1/withdrawals/${id}/cancellation`, { step: `cancel-${id}` });
  say(
    `0.5 ETH of Delphi to a contract that takes nothing: the vault pays nothing, the signers take back the nonce: ${await ended(scene, id)}.`,
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

/** Whoever has the key of a wallet has its coins: a vault has none. The next reconciliation finds what is gone. */
async function theft(scene: Scene, { aurora, celsus, nobody }: Players): Promise<void> {
  const { api, cast, chain, outside, say } = scene;
  await outside.steal(nobody, ether / 5n);
  await quiet(scene);
  const { breaks } = await reconcile(scene, 'reconcile-theft');
  for (const one of breaks) {
    say(
      `A thief has the key of the address that no client has, and takes 0.2 ETH: the next reconciliation finds a break of type ${words(one, 'type')}, difference ${inCoin(words(one, 'difference'))} ETH,`,
    );
    say('the 0.2 and the fee that the thief burnt.');
  }
  const wish = (player: Player): object => ({
    clientId: player.id,
    asset: nativeAsset(chain),
    amount: (ether / 10n).toString(),
    destination: clientsOwn,
    feePayer: 'client',
  });
  const stopped = await api.ask(cast.operator, '/v1/withdrawals', { step: 'wd-frozen', body: wish(celsus) });
  const allowed = await api.ask(cast.operator, '/v1/withdrawals', { step: 'wd-not-frozen', body: wish(aurora) });
  const code = field(stopped.body, 'code');
  say(
    `Withdrawals of the pool are stopped (${typeof code === 'string' ? code : stopped.status}); Aurora's go on (HTTP ${allowed.status}).`,
  );
}
