import { type Address, type AssetId, feeMax, type Hash, type Hex, invariant } from '@bulkhead/domain';
import { faucet, type Ground, payer } from './ground.ts';
import { signAs } from './key.ts';
import {
  assembleSigned,
  encodeUnsigned,
  type FakeTransaction,
  type Payout,
  payoutCall,
  revertCall,
  transactionOf,
} from './transaction.ts';

export type OutsidePayment = {
  readonly to: Address;
  readonly amount: bigint;
  /** Native coin if absent. */
  readonly asset?: AssetId;
  /** The faucet if absent. */
  readonly from?: Address;
};

export type Theft = OutsidePayment & { readonly from: Address };

const generousGas = 400_000n;
const theftGas = 60_000n;
const generousPriority = 2_000_000_000n;

/** Everybody else on the chain. What they send waits in the mempool for the next block. */
export class Outside {
  readonly #ground: Ground;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** Sends coins or tokens from outside. */
  send(payment: OutsidePayment): Hash {
    const { to, amount } = payment;
    const from = payment.from ?? faucet;
    const plan = { from, to, amount, asset: payment.asset ?? this.#ground.native };
    const at = { chain: this.#ground.id, nonce: this.#ground.nextNonce(from) };
    return this.#submit(from, transactionOf(plan, this.#terms(generousGas), at));
  }

  /** Pays native coin to many by the inner calls of one transaction. */
  payByContract(payouts: readonly Payout[]): Hash {
    const value = payouts.reduce((sum, { amount }) => sum + amount, 0n);
    return this.#call(payoutCall(payouts), value);
  }

  /** The same, in a transaction that reverts as a whole. */
  revertByContract(value: bigint): Hash {
    return this.#call(revertCall, value);
  }

  /**
   * A payment with a stolen key. It takes the next nonce that no block has used, and pays enough to push a transaction of ours
   * with that nonce out of the mempool.
   */
  steal(theft: Theft): Hash {
    const { from, to, amount } = theft;
    const nonce = this.#ground.nonce(from);
    const rival = this.#ground.mempool.pending({ from, transaction: { nonce } })?.transaction;
    const asset = theft.asset ?? this.#ground.native;
    const usual = this.#terms(theftGas);
    const terms =
      rival === undefined
        ? usual
        : {
            ...usual,
            maxFeePerGas: larger(usual.maxFeePerGas, rival.maxFeePerGas * 2n),
            maxPriorityFeePerGas: larger(usual.maxPriorityFeePerGas, rival.maxPriorityFeePerGas * 2n),
          };
    return this.#submit(from, transactionOf({ from, to, amount, asset }, terms, { chain: this.#ground.id, nonce }));
  }

  /** Most that the fee of a theft can be, so that a test can leave it in the wallet. */
  theftFeeMax(): bigint {
    return feeMax(this.#terms(theftGas));
  }

  /** Calls a contract that answers calldata. */
  call({ to, data }: { readonly to: Address; readonly data: Hex }): Hash {
    const at = { chain: this.#ground.id, nonce: this.#ground.nextNonce(faucet) };
    return this.#submit(faucet, { ...this.#terms(generousGas * 10n), ...at, to, value: 0n, data, authorizations: [] });
  }

  #call(data: string, value: bigint): Hash {
    const at = { chain: this.#ground.id, nonce: this.#ground.nextNonce(faucet) };
    return this.#submit(faucet, {
      ...this.#terms(generousGas * 10n),
      ...at,
      to: payer,
      value,
      data,
      authorizations: [],
    });
  }

  #terms(gasLimit: bigint): Pick<FakeTransaction, 'gasLimit' | 'maxFeePerGas' | 'maxPriorityFeePerGas'> {
    const maxFeePerGas = this.#ground.nextBaseFee * 2n + generousPriority;
    return { gasLimit, maxFeePerGas, maxPriorityFeePerGas: generousPriority };
  }

  #submit(from: Address, transaction: FakeTransaction): Hash {
    const unsigned = encodeUnsigned(transaction);
    const { raw, hash } = assembleSigned(unsigned, signAs(from, unsigned));
    const outcome = this.#ground.submit(raw);
    invariant(outcome === 'accepted' || outcome === 'already-known', 'A transaction from outside was not accepted.', {
      outcome,
      from,
    });
    return hash;
  }
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
