import { type Address, invariant, nativeAsset, parseAddress } from '@bulkhead/domain';
import { nobleHashes } from '@bulkhead/authority';
import { callData, factoryCalls, forwarderAddress, forwarderSalt, type Hex, nativeToken } from '@bulkhead/vaults';
import { addressOf, poolNumber } from './admission.ts';
import { approve, ended, request, stateOf } from './asking.ts';
import { field, itemsIn, until, words } from './client.ts';
import { creditDeposits } from './crediting.ts';
import { stage } from './outside.ts';
import type { Players, Scene } from './scene.ts';
import { agreeOnVault, receiveVault } from './vault-desk.ts';

const ether = 10n ** 18n;

/** The coins of the pool come together at its wallet; the house grants the gas for tokens, and claims do not change. */
export async function sweepPool(scene: Scene, { celsus, delphi }: Players): Promise<void> {
  const started = (await sweepFrom(scene, celsus.address)) + (await sweepFrom(scene, delphi.address));
  scene.say(
    `${started} sweeps brought the pool's coins from its clients' addresses to its wallet; the house granted the gas, claims did not`,
  );
  scene.say('change.');
}

async function sweepFrom({ api, cast, chain }: Scene, address: Address): Promise<number> {
  const wallets = await api.list(cast.operator, `/v1/compartments/${poolNumber}/wallets?chain=${chain}`);
  const wallet = wallets.find((one) => parseAddress(words(one, 'address')) === address);
  const answer = await api.ask(cast.operator, '/v1/sweeps', {
    step: `sweep-${address}`,
    body: { walletId: words(wallet, 'id') },
  });
  invariant(answer.status < 300, `The sweep was refused: ${JSON.stringify(answer.body)}`);
  await until('the sweeps to settle', async () => {
    const open = (await api.list(cast.operator, `/v1/sweeps?chain=${chain}`)).filter(
      (sweep) => !['settled', 'failed', 'cancelled'].includes(words(sweep, 'state')),
    );
    return open.length === 0 ? true : undefined;
  });
  return itemsIn(answer.body).length;
}

/** The payment is fine when it is estimated and signed; then the recipient's door shuts, and it fails in its block. */
export async function failOnChain(scene: Scene, { delphi }: Players): Promise<void> {
  const { chain, outside, say } = scene;
  const id = await request(scene, {
    step: 'wd-failing',
    player: delphi,
    asset: nativeAsset(chain),
    amount: ether / 2n,
    to: stage.door,
    feePayer: 'client',
  });
  if (await outside.doorIsShut()) {
    await approve(scene, id);
  } else {
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
  }
  say(
    `0.5 ETH of Delphi to a contract that refused it when it was mined: ${await ended(scene, id)} and returned; only the network fee is gone.`,
  );
}

/** What a pool does that began with keys: its vault is agreed on, and from then on it pays, and new addresses are bound to it. */
export async function poolToVault(scene: Scene, { celsus, delphi }: Players): Promise<void> {
  const { api, cast, chain, outside, signatories, say } = scene;
  const agreed = await agreeOnVault(scene, { name: 'pool', holder: { compartment: poolNumber } });
  const version = await signatories.changeRegistry('operator', {
    step: 'registry-pool',
    kind: 'enrolment',
    items: [agreed.item],
  });
  const vault = await receiveVault(scene, 'pool', agreed.vaultId);
  const wallets = await api.list(cast.operator, `/v1/compartments/${poolNumber}/wallets?chain=${chain}`);
  const paying = wallets.find((wallet) => field(wallet, 'purpose') === 'pool' && field(wallet, 'kind') === 'key');
  await sweepFrom(scene, parseAddress(words(paying, 'address')));
  say(
    `The pool moves to a vault as well, agreed on by its governance (registry version ${version}): its wallet is swept to it, and Celsus and Delphi`,
  );
  say('get new addresses, forwarders bound to that vault. The old ones go on being watched.');
  const bound = [await addressOf(scene, celsus, 'bound'), await addressOf(scene, delphi, 'bound')];
  const [ofCelsus, ofDelphi] = bound;
  invariant(ofCelsus !== undefined && ofDelphi !== undefined, 'Two clients share the pool.');
  await outside.pay(10n, ofCelsus, ether / 2n);
  await outside.payToken(11n, ofDelphi, 2_000n * 10n ** 6n);
  await creditDeposits(scene, depositsByThen);
  await flush(scene, vault, bound);
}

/** What came in at first, and the two that go to forwarders. */
const depositsByThen = 12;

/** What came to forwarders goes to the pool's vault and nowhere else, whoever sends it on: here a stranger does. */
async function flush(scene: Scene, vault: Address, bound: readonly Address[]): Promise<void> {
  const { chain, custody, outside, say } = scene;
  const system = custody.vaults?.systems.get(chain);
  invariant(system !== undefined, 'The story has vaults.');
  const salts = saltsOf(bound, (salt) => forwarderAddress(nobleHashes, system, { vault, salt }));
  for (const token of [nativeToken, stage.token]) {
    const held = await Promise.all(bound.map((address) => outside.held(address, token)));
    if (held.every((amount) => amount === 0n)) continue;
    await outside.relay(system.factory, callData(nobleHashes, factoryCalls.flush, { vault, salts, token }));
  }
  say(
    "A stranger sends on what lies at these two addresses: it can only go to the pool's vault. No gas was sent to them; claims did not",
  );
  say('change.');
}

/** Forwarders are numbered; anybody works out which number an address has. */
const forwarderNumbersMax = 50n;

function saltsOf(addresses: readonly Address[], addressAt: (salt: Hex) => Address): readonly Hex[] {
  const salts: Hex[] = [];
  for (let number = 0n; number < forwarderNumbersMax; number += 1n) {
    const salt = forwarderSalt(number);
    if (addresses.includes(addressAt(salt))) salts.push(salt);
  }
  invariant(salts.length === addresses.length, 'Each of these addresses is a forwarder.');
  return salts;
}

/** A recipient that takes nothing: no vault pays it, and the amount stays held until the nonce of the payment is taken. */
export async function payNobody(scene: Scene, { delphi }: Pick<Players, 'delphi'>): Promise<void> {
  const { api, cast, chain, say } = scene;
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
    `0.5 ETH of Delphi to the same contract, now from the vault, which pays nothing: the signers take back the nonce: ${await ended(scene, id)}.`,
  );
}
