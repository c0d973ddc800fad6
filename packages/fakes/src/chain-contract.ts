import assert from 'node:assert/strict';
import {
  type Address,
  type Chain,
  feeMax,
  type FeeTerms,
  nativeAsset,
  type Signature,
  type TransactionPlan,
} from '@bulkhead/domain';

export type ChainAccount = { readonly address: Address; readonly sign: (unsigned: Uint8Array) => Promise<Signature> };

/** A chain under test whose blocks come only when asked for. */
export type ChainBench = {
  readonly chain: Chain;
  /** A new key with this much native coin in a block. */
  readonly account: (coins: bigint) => Promise<ChainAccount>;
  readonly mine: () => Promise<void>;
};

type TestFunction = (name: string, run: () => Promise<void>) => unknown;
type Make = () => Promise<ChainBench>;
const ether = 10n ** 18n;

/** What every adapter behind the port must do. The same cases run against the fake and against a real node. */
export function chainContract(test: TestFunction, make: Make): void {
  observing(test, make);
  sending(test, make);
  signing(test, make);
}

function observing(test: TestFunction, make: Make): void {
  test('blocks are linked by hash and end at the head', async () => {
    const { chain, mine } = await make();
    await mine();
    await mine();
    const { latest } = await chain.heads();
    const tip = await chain.block(latest.number, nobody);
    assert.equal(tip?.hash, latest.hash);
    assert.equal(tip?.parentHash, await chain.hashAt(latest.number - 1n));
    assert.equal(await chain.block(latest.number + 1n, nobody), undefined);
    assert.equal(await chain.hashAt(latest.number + 1n), undefined);
  });

  test('a payment is one movement, one sent transaction and the difference of the balances', async () => {
    const { chain, account, mine } = await make();
    const [from, to] = [await account(2n * ether), await account(ether)];
    const before = (await chain.heads()).latest;
    const sent = await send(chain, from, { to: to.address, amount: 7n });
    assert.equal(sent.outcome, 'accepted');
    assert.deepEqual(await chain.sight(sent.hash), { at: 'mempool' });
    await mine();
    const after = (await chain.heads()).latest;
    const block = await chain.block(after.number, only(from.address, to.address));
    const asset = nativeAsset(chain.id);
    assert.deepEqual(block?.movements, [
      {
        kind: 'native',
        reference: sent.hash,
        transaction: sent.hash,
        asset,
        from: from.address,
        to: to.address,
        amount: 7n,
      },
    ]);
    const [record] = block?.sent ?? [];
    assert.equal(record?.hash, sent.hash);
    assert.equal(record?.succeeded, true);
    const queries = [from, to].map(({ address }) => ({ asset, address }));
    assert.deepEqual(await chain.balances(queries, before), [2n * ether, ether]);
    assert.deepEqual(await chain.balances(queries, after), [2n * ether - 7n - (record?.fee ?? 0n), ether + 7n]);
    assert.deepEqual([await chain.nonce(from.address, before), await chain.nonce(from.address, after)], [0n, 1n]);
    assert.deepEqual(await chain.sight(sent.hash), { at: 'block', block: after, succeeded: true });
  });

  test('a watch set hides what it does not name', async () => {
    const { chain, account, mine } = await make();
    const from = await account(ether);
    const to = await account(ether);
    await send(chain, from, { to: to.address, amount: 7n });
    await mine();
    const { latest } = await chain.heads();
    const seen = await chain.block(latest.number, only(to.address));
    assert.equal(seen?.movements.length, 1);
    assert.deepEqual(seen?.sent, []);
    assert.deepEqual((await chain.block(latest.number, nobody))?.movements, []);
  });
}

function sending(test: TestFunction, make: Make): void {
  test('the same bytes are known, and a used nonce stays used', async () => {
    const { chain, account, mine } = await make();
    const from = await account(ether);
    const sent = await send(chain, from, { to: from.address, amount: 0n });
    assert.equal(await chain.broadcast(sent.raw), 'already-known');
    await mine();
    assert.equal(await chain.broadcast(sent.raw), 'nonce-used');
    const rival = await send(chain, from, { to: from.address, amount: 1n, nonce: 0n });
    assert.equal(rival.outcome, 'nonce-used');
    assert.deepEqual(await chain.sight(rival.hash), { at: 'unknown' });
  });

  test('a replacement pays a tenth more in both fields', async () => {
    const { chain, account, mine } = await make();
    const from = await account(ether);
    const first = await send(chain, from, { to: from.address, amount: 1n });
    const low = await send(chain, from, {
      to: from.address,
      amount: 2n,
      nonce: 0n,
      raise: { fee: 110n, priority: 105n },
    });
    assert.equal(low.outcome, 'underpriced');
    const high = await send(chain, from, {
      to: from.address,
      amount: 3n,
      nonce: 0n,
      raise: { fee: 110n, priority: 110n },
    });
    assert.equal(high.outcome, 'accepted');
    await mine();
    assert.deepEqual(await chain.sight(first.hash), { at: 'unknown' });
    assert.equal((await chain.sight(high.hash)).at, 'block');
  });

  test('coins that are not there are not sent', async () => {
    const { chain, account } = await make();
    const [from, to] = [await account(ether), await account(0n)];
    const plan = { from: from.address, to: to.address, asset: nativeAsset(chain.id), amount: 2n * ether };
    await assert.rejects(chain.estimate(plan), { code: 'transaction/rejected' });
    const terms = await chain.estimate({ ...plan, amount: 1n });
    const unsigned = chain.build({ ...plan, amount: ether - feeMax(terms) + 1n }, terms, 0n);
    const { raw } = chain.assemble(unsigned, await from.sign(unsigned));
    assert.equal(await chain.broadcast(raw), 'insufficient-coin');
  });
}

function signing(test: TestFunction, make: Make): void {
  test('building and assembling are pure, and the signer is recovered', async () => {
    const { chain, account } = await make();
    const from = await account(ether);
    const other = await account(ether);
    const plan = { from: from.address, to: other.address, asset: nativeAsset(chain.id), amount: 5n };
    const terms = await chain.estimate(plan);
    const unsigned = chain.build(plan, terms, 0n);
    assert.deepEqual(chain.build(plan, terms, 0n), unsigned);
    assert.notDeepEqual(chain.build(plan, terms, 1n), unsigned);
    const signature = await from.sign(unsigned);
    const assembled = chain.assemble(unsigned, signature);
    assert.equal(assembled.from, from.address);
    assert.deepEqual(chain.assemble(unsigned, signature), assembled);
    const forged = chain.assemble(chain.build(plan, terms, 1n), signature);
    assert.notEqual(forged.from, from.address);
    assert.equal(await chain.broadcast(forged.raw), 'insufficient-coin');
  });
}

const nobody = { has: (): boolean => false };

function only(...addresses: readonly Address[]): { has(address: Address): boolean } {
  return new Set(addresses);
}

type Payment = Pick<TransactionPlan, 'to' | 'amount'> & {
  readonly nonce?: bigint;
  /** Fee fields in hundredths of what the chain asks for. */
  readonly raise?: { readonly fee: bigint; readonly priority: bigint };
};

async function send(chain: Chain, from: ChainAccount, payment: Payment) {
  const plan: TransactionPlan = {
    from: from.address,
    asset: nativeAsset(chain.id),
    to: payment.to,
    amount: payment.amount,
  };
  const asked = await chain.estimate(plan);
  const { fee, priority } = payment.raise ?? { fee: 100n, priority: 100n };
  const terms: FeeTerms = {
    gasLimit: asked.gasLimit,
    maxFeePerGas: (asked.maxFeePerGas * fee + 99n) / 100n,
    maxPriorityFeePerGas: (asked.maxPriorityFeePerGas * priority + 99n) / 100n,
  };
  const unsigned = chain.build(plan, terms, payment.nonce ?? (await chain.nonce(from.address, 'latest')));
  const { raw, hash } = chain.assemble(unsigned, await from.sign(unsigned));
  return { raw, hash, outcome: await chain.broadcast(raw) };
}
