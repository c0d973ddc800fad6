import type { Address, Movement } from '@bulkhead/domain';
import { fakeMembers, type GroundBlock, namedAddress } from '@bulkhead/fakes';
import { resolveOneBreak, tendDeposit } from './desk.ts';
import { runBoth, runProcess } from './machine.ts';
import {
  anyAsset,
  askFee,
  askSweep,
  askWithdrawal,
  changeRegistry,
  decideWhole,
  decideWithdrawal,
  issueWallet,
} from './people.ts';
import {
  clientDecides,
  createByStranger,
  exitStep,
  flushByStranger,
  foreignRelay,
  giveUnfollowed,
  stealFromVault,
} from './vault-events.ts';
import { fallSilent, moveClient, payVaultFee, restrictVault, sweepLegacy, tendRestriction } from './vault-custodian.ts';
import { askFlush, signOneOffs } from './vault-people.ts';
import { count, ether, gwei, keepTime, type World, type WorldWallet } from './world.ts';

type Event = { readonly name: string; readonly weight: number; readonly run: (world: World) => Promise<void> | void };

/** Everything that can happen in one step, and how often against the others. */
const events: readonly Event[] = [
  { name: 'deposit', weight: 14, run: deposit },
  { name: 'inner payments', weight: 4, run: innerPayments },
  { name: 'coin without a transaction', weight: 2, run: coinWithoutTransaction },
  { name: 'mine', weight: 22, run: mine },
  { name: 'reorg', weight: 6, run: reorg },
  { name: 'process', weight: 22, run: process },
  { name: 'both processes', weight: 8, run: bothProcesses },
  { name: 'withdrawal', weight: 10, run: askWithdrawal },
  { name: 'decision', weight: 22, run: decideWithdrawal },
  { name: 'sweep', weight: 3, run: askSweep },
  { name: 'fee', weight: 3, run: askFee },
  { name: 'address', weight: 1, run: (world) => issueWallet(world, world.random.pick(world.clients).id) },
  { name: 'time', weight: 6, run: passTime },
  { name: 'faults', weight: 4, run: changeFaults },
  { name: 'base fee', weight: 2, run: changeBaseFee },
  { name: 'mempool', weight: 4, run: disturbMempool },
  { name: 'broadcast fault', weight: 4, run: disturbBroadcast },
  { name: 'signer', weight: 4, run: changeSigner },
  { name: 'registry', weight: 5, run: changeRegistry },
  { name: 'token', weight: 1, run: switchToken },
  { name: 'refusal', weight: 2, run: switchRefusal },
  { name: 'screening', weight: 3, run: changeScreening },
  { name: 'deposit desk', weight: 5, run: tendDeposit },
  { name: 'break desk', weight: 4, run: resolveOneBreak },
];

/** What can happen besides in a world with vaults. */
const vaultEvents: readonly Event[] = [
  { name: 'withdrawal', weight: 14, run: askWithdrawal },
  { name: 'whole decision', weight: 26, run: decideAndRelay },
  { name: 'process', weight: 10, run: process },
  { name: 'foreign relay or replay', weight: 12, run: foreignRelay },
  { name: 'client signs', weight: 8, run: signOneOffs },
  { name: 'client decides', weight: 3, run: clientDecides },
  { name: 'exit', weight: 5, run: exitStep },
  { name: 'stranger flushes', weight: 4, run: flushByStranger },
  { name: 'house flushes', weight: 2, run: askFlush },
  { name: 'stranger creates', weight: 1, run: createByStranger },
  { name: 'gift', weight: 2, run: giveUnfollowed },
  { name: 'theft from a vault', weight: 2, run: stealFromVault },
  { name: 'restriction', weight: 3, run: restrictVault },
  { name: 'restriction desk', weight: 3, run: tendRestriction },
  { name: 'move of a client', weight: 4, run: moveClient },
  { name: 'vault fee', weight: 5, run: payVaultFee },
  { name: 'legacy sweep', weight: 4, run: sweepLegacy },
  { name: 'silence', weight: 1, run: fallSilent },
];

/** One step of the world. */
export async function step(world: World): Promise<string> {
  const possible = world.vaulting === undefined ? events : [...events, ...vaultEvents];
  let roll = world.random.below(possible.reduce((sum, { weight }) => sum + weight, 0));
  for (const event of possible) {
    roll -= event.weight;
    if (roll >= 0) continue;
    count(world, event.name);
    await event.run(world);
    return event.name;
  }
  throw new Error('The weights of the events do not add up.');
}

/** Wallets that strangers know: addresses of clients, of nobody, and now and then the pool itself. */
function anyReceiver(world: World): WorldWallet {
  const known = world.wallets.filter(({ purpose }) => purpose === 'deposit' || purpose === 'unassigned');
  const pools = world.wallets.filter(({ purpose }) => purpose === 'pool');
  return world.random.pick(world.random.percent(15) && pools.length > 0 ? pools : known);
}

function deposit(world: World): void {
  const { random, chain } = world;
  const asset = anyAsset(world);
  const { address: to } = anyReceiver(world);
  const large = asset === chain.native ? ether : 2000n * 10n ** 6n;
  const amount = random.percent(10) ? random.amount(20n) : random.amount(large);
  chain.outside.send({ to, amount, asset });
  // A second payment of the same amount from the same sender is another one.
  if (random.percent(15)) chain.outside.send({ to, amount, asset });
}

function innerPayments(world: World): void {
  const { random } = world;
  const payouts = Array.from({ length: 1 + random.below(4) }, () => ({
    to: anyReceiver(world).address,
    amount: random.amount(ether),
    reverts: random.percent(15),
  }));
  if (random.percent(10)) world.chain.outside.revertByContract(random.amount(ether));
  else world.chain.outside.payByContract(payouts);
}

function coinWithoutTransaction(world: World): void {
  const { address } = anyReceiver(world);
  const amount = world.random.amount(ether);
  if (world.random.percent(50)) world.chain.ground.withdrawValidator(address, amount);
  else world.chain.ground.force(address, amount);
}

function mine(world: World): void {
  const blocks = 1 + world.random.below(4);
  world.chain.ground.mineMany(blocks);
  world.clock.advance(blocks * 12_000);
}

function reorg(world: World): void {
  const { random, chain } = world;
  const depthMax = Number(chain.ground.height - chain.ground.final.number);
  if (depthMax === 0) return;
  const depth = 1 + random.below(depthMax);
  const inside = Array.from({ length: depth }, (_, back) => chain.ground.at(chain.ground.height - BigInt(back)));
  const hashes = inside.flatMap(({ receipts }) => receipts.map(({ hash }) => hash));
  const some = hashes.filter(() => random.percent(30));
  if (inside.some((block) => paysFromVault(world, block))) count(world, 'reorg over a vault payment');
  chain.reorg(depth, {
    drop: random.percent(10) ? 'all' : random.percent(40) ? some : [],
    emptyBlocks: random.below(2),
    reorder: random.percent(40),
    length: random.percent(10) ? depth : depth + 1 + random.below(2),
  });
}

function paysFromVault({ vaulting }: World, { receipts }: GroundBlock): boolean {
  const vaults = new Set<Address>(vaulting?.vaults.map(({ address }) => address));
  const own = (movement: Movement): boolean => movement.from !== undefined && vaults.has(movement.from);
  return receipts.some(({ movements }) => movements.some(own));
}

async function process(world: World): Promise<void> {
  await runProcess(world, world.random.pick(world.processes), { mortal: world.random.percent(40) });
}

async function bothProcesses(world: World): Promise<void> {
  await runBoth(world, { mortal: world.random.percent(40) });
}

/** What people just approved is on its way, and somebody else may see it there. */
async function decideAndRelay(world: World): Promise<void> {
  await decideWhole(world);
  await process(world);
  if (world.random.percent(40)) foreignRelay(world);
}

function passTime(world: World): void {
  const hours = world.random.percent(5) ? 60 : world.random.below(3);
  world.clock.advance(hours * 3_600_000 + 700_000);
  keepTime(world);
}

function changeFaults(world: World): void {
  const { random, chain } = world;
  chain.faults.calm();
  if (random.percent(50)) return;
  chain.faults.unleash({
    random: random.fork(`faults ${world.tally.get('faults') ?? 0}`),
    percent: random.pick([3, 10, 30]),
    faults: ['unavailable', 'nonsense', 'disagreement', 'slow', 'behind', 'stale-final'],
    broadcasts: ['accepted-lost', 'accepted-withheld', 'unclear-accepted', 'unclear-lost'],
  });
}

/** The signer goes away and comes back, loses answers, changes its policy, or refuses what it would otherwise sign. */
function changeSigner(world: World): void {
  const { random, signer, vaulting } = world;
  signer.down = random.percent(15);
  if (vaulting !== undefined) vaulting.quorum.awake = fakeMembers.slice(random.pick([0, 0, 0, 1, 2]));
  world.signerFaults.percent = random.pick([0, 0, 5, 20]);
  signer.rules.quorum = random.pick([2, 2, 2, 1, 3]);
  const unwanted = random.pick([
    'withdrawal',
    'sweep',
    'gas-grant',
    'cancel',
    'fee-payment',
    'deposit-return',
    ...(vaulting === undefined
      ? []
      : ['vault-withdrawal', 'vault-invalidation', 'vault-fee', 'vault-pause', 'delegation', 'relay']),
  ]);
  const refusing = random.percent(20);
  signer.rules.refuse = (intent) =>
    refusing && intent.kind === unwanted
      ? { code: 'signer/velocity-exceeded', message: `Enough of ${unwanted} for today.` }
      : undefined;
}

/** The signer answers, refuses nothing by mood, and wants no more people than signed when it wanted fewest. */
export function calmSigner(world: World): void {
  world.signer.down = false;
  if (world.vaulting !== undefined) world.vaulting.quorum.awake = fakeMembers;
  world.signerFaults.percent = 0;
  world.signer.rules.quorum = 1;
  world.signer.rules.refuse = undefined;
}

function changeBaseFee(world: World): void {
  world.baseFee = world.random.pick([1n, 1n, 5n, 40n, 90n, 300n]) * gwei;
}

/** Transactions of ours that any node may forget, delay, or send again when everybody has given them up. */
function disturbMempool(world: World): void {
  const { random, chain } = world;
  const own = new Set<Address>(world.wallets.map(({ address }) => address));
  const ours = chain.ground.mempool.ready().filter(({ from }) => own.has(from));
  for (const { hash } of ours) {
    const fate = random.pick(['stays', 'stays', 'dropped', 'withheld']);
    if (fate === 'dropped') chain.ground.mempool.drop(hash);
    if (fate === 'withheld') chain.ground.mempool.withhold(hash);
  }
  if (random.percent(50)) chain.ground.mempool.releaseAll();
  for (const { hash, from } of chain.ground.sentBefore()) {
    if (own.has(from) && random.percent(30)) chain.ground.resurface(hash);
  }
}

function disturbBroadcast(world: World): void {
  const faults = ['accepted-lost', 'accepted-withheld', 'unclear-accepted', 'unclear-lost'] as const;
  world.chain.faults.scriptBroadcast(world.random.pick(faults));
}

function switchToken(world: World): void {
  world.chain.ground.switchToken(
    world.random.pick([world.assets.dollar, world.assets.taxed]),
    world.random.percent(30),
  );
}

/** A destination that took coins begins to refuse them, perhaps when they are on their way. */
function switchRefusal(world: World): void {
  const { withdrawals, wallets, random, chain } = world;
  const foreign = withdrawals
    .slice(-6)
    .filter(({ destination }) => !wallets.some(({ address }) => address === destination));
  if (foreign.length > 0) chain.ground.switchRefusal(random.pick(foreign).destination, random.percent(70));
}

function changeScreening(world: World): void {
  world.screening.verdict = world.random.pick([
    'clear',
    'clear',
    'not-screened',
    'not-screened',
    'hit',
    'review',
    'inconclusive',
  ]);
}

/** Coins leave a wallet by a stolen key. The world knows; the books must find out. */
export function steal(world: World): boolean {
  const { random, chain } = world;
  const { ground } = chain;
  const feeMax = chain.outside.theftFeeMax();
  const victims = world.wallets.filter(({ address, purpose, kind }) => {
    return kind === 'key' && purpose !== 'gas' && ground.balance(chain.native, address) > 2n * feeMax + 10n;
  });
  if (victims.length === 0) return false;
  // A thief likes to take the nonce of a transaction that waits.
  const waiting = victims.filter(({ address }) => ground.nextNonce(address) > ground.nonce(address));
  const victim = random.pick(waiting.length > 0 && random.percent(70) ? waiting : victims);
  const asset = random.pick([chain.native, world.assets.dollar]);
  const spendable = ground.balance(asset, victim.address) - (asset === chain.native ? feeMax : 0n);
  if (spendable <= 0n) return false;
  const hash = chain.outside.steal({
    from: victim.address,
    to: namedAddress('thief'),
    asset,
    amount: random.amount(spendable),
  });
  world.thefts.push({ address: victim.address, asset, hash });
  count(world, 'theft');
  return true;
}
