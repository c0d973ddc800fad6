import { formatDecimal, nativeAsset, tokenAsset } from '@bulkhead/domain';
import { settleIn } from './admission.ts';
import { approve, ended, release, request } from './asking.ts';
import { field, until, words } from './client.ts';
import { availableCoin, creditDeposits } from './crediting.ts';
import { clientsOwn, stage } from './outside.ts';
import { failOnChain, payNobody, poolToVault, sweepPool } from './pool-acts.ts';
import { provenEpochs, tellProofs, unprovable } from './proof-acts.ts';
import type { Player, Players, Scene } from './scene.ts';
import { attackVault, payOnce } from './vault-acts.ts';

const ether = 10n ** 18n;
const dollar = 10n ** 6n;

/** Plays the main job of a custodian through the public API, from the first client to a theft that is found. */
export async function playStory(scene: Scene): Promise<Players> {
  const players = await settleIn(scene);
  await payIn(scene, players);
  await creditAll(scene, players);
  await sweepPool(scene, players);
  await withdrawals(scene, players);
  await failOnChain(scene, players);
  await poolToVault(scene, players);
  await payNobody(scene, players);
  const proving = provenEpochs(scene);
  // What fails there is thrown where it is waited for.
  proving.catch(() => undefined);
  await attackVault(scene, players);
  await payOnce(scene, players);
  await reconcileClean(scene);
  await tellProofs(scene, players, await proving);
  await theft(scene, players);
  await unprovable(scene);
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

/** The first payment to the house, and what strangers pay in. */
const depositsAtFirst = 10;

/** Final before credited, credited before swept; a second person releases what no screening has cleared. */
async function creditAll(scene: Scene, { delphi }: Players): Promise<void> {
  await creditDeposits(scene, depositsAtFirst);
  const available = formatDecimal(await availableCoin(scene, delphi), 18);
  scene.say(
    `Final and booked; nobody screens here, so two people released each one. Delphi Fund may dispose of ${available} ETH`,
  );
  scene.say('before any coin of the pool was swept. Dust and the unassigned payment stand in suspense.');
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
