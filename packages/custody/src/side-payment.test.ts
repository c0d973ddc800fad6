import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, type AssetId, type Chain, contractOf, type Movement } from '@bulkhead/domain';
import { type FakeChain, namedAddress } from '@bulkhead/fakes';
import { breaks, reconciled } from './testing/desk.ts';
import { movementViews } from './movement-view.ts';
import { requestSweep } from './sweep.ts';
import { pool, viewOf } from './testing/bench.ts';
import { ether, openWithdrawing, pay, settle, wallets } from './testing/withdrawing.ts';

type Bonus = { readonly token: AssetId; readonly to: Address; readonly paid: AssetId; readonly amount: bigint };

/** A token that pays whoever receives it something on top, in the same transaction, as tokens with dividends do. */
function paying(chain: FakeChain, bonus: () => Bonus | undefined): Chain {
  const credited = new Set<string>();
  const plain = chain.block.bind(chain);
  chain.block = async (height, watch) => {
    const seen = await plain(height, watch);
    const wanted = bonus();
    if (seen === undefined || wanted === undefined) return seen;
    const extra = seen.movements.flatMap((movement): readonly Movement[] => {
      if (movement.asset !== wanted.token || movement.to !== wanted.to || movement.transaction === undefined) return [];
      const reference = `${movement.transaction}:9999`;
      if (!credited.has(reference)) {
        credited.add(reference);
        chain.ground.history.add({ asset: wanted.paid, address: wanted.to, height, change: wanted.amount });
      }
      const from = namedAddress('treasury of the token');
      const kind = contractOf(wanted.paid) === undefined ? 'internal' : 'token';
      return [
        {
          kind,
          reference,
          transaction: movement.transaction,
          asset: wanted.paid,
          from,
          to: wanted.to,
          amount: wanted.amount,
        },
      ];
    });
    return { ...seen, movements: [...seen.movements, ...extra] };
  };
  return chain;
}

for (const paidIn of ['native coin', 'the same token', 'another token'] as const) {
  test(`what a token pays to the receiver of a sweep in ${paidIn} is a deposit of its own`, async () => {
    const bonuses: Bonus[] = [];
    await using bench = await openWithdrawing({ port: (chain) => paying(chain, () => bonuses.at(0)) });
    await pay(bench, await bench.ownWallet('gas'), ether);
    const token = await bench.token('USD');
    const other = await bench.token('BONUS');
    const client = await bench.client('omnibus');
    const wallet = await bench.wallet(client);
    await pay(bench, wallet, 50n, token);
    const poolWallet = await bench.ownWallet('pool');
    const paid = { 'native coin': bench.native, 'the same token': token, 'another token': other }[paidIn];
    bonuses.push({ token, to: poolWallet.address, paid, amount: 7n });
    viewOf(await requestSweep(bench.custody, bench.as('olga'), { compartment: pool, chain: bench.id, asset: token }));
    for (let round = 0; round < 4; round += 1) await settle(bench);
    const [sweep] = await movementViews(bench.custody.db, { kind: 'sweep', after: null, limit: 1 });
    assert.equal(sweep?.state, 'settled');
    const deposit = (await bench.deposits()).find((one) => one.walletId === poolWallet.id);
    assert.equal(deposit?.credited, '7');
    assert.equal(deposit?.disposition, 'unassigned');
    assert.equal(await bench.posted(pool, paid, { kind: 'suspense', holder: '' }), 7n);
    const { books, chain } = await wallets(bench, poolWallet, paid);
    assert.equal(books, chain);
    await reconciled(bench);
    assert.deepEqual(await breaks(bench), []);
  });
}
