import { chainNumber, chainOf, contractOf, CustodyError, invariant } from '@bulkhead/domain';
import type {
  Address,
  BlockRef,
  BroadcastOutcome,
  FeeTerms,
  Hash,
  TransactionPlan,
  TransactionSight,
} from '@bulkhead/domain';
import { bytesToHex } from 'viem';
import { agree, gather, type Quorum } from './agreement.ts';
import type { ProbedSource } from './probed-source.ts';
import { broadcastOutcomeOf, reasonOf, saysItFails } from './refusal.ts';
import { hexQuantity, nonsense, readData, readFields, readHash, readQuantity } from './shape.ts';
import { refused, type RpcCall, type Source } from './source.ts';
import { callOf } from './transaction.ts';

/** A plain transfer of coin to an address without code takes exactly this, so no margin is added and a balance can be emptied. */
const plainTransferGas = 21_000n;

/** Tip for nodes that suggest none, in wei. */
const priorityFeeDefault = 10n ** 9n;

export type EstimateOptions = {
  /** Percent of gas on top of what the node estimates, rounded up: state may change before the transaction runs. */
  readonly gasMarginPercent: bigint;
  /** Never propose a higher fee for a unit of gas than this, in wei. */
  readonly maxFeePerGasMax: bigint;
};

export const estimateDefaults: EstimateOptions = { gasMarginPercent: 25n, maxFeePerGasMax: 10n ** 13n };

type Estimate =
  | { readonly fails: false; readonly gas: bigint; readonly baseFee: bigint; readonly priority: bigint }
  | { readonly fails: true; readonly reason: string };

/**
 * Fee terms for a plan now. That the plan would work, or would fail, must be said by k sources; of their figures the lower
 * median is taken, so that one source cannot drive the fee up alone.
 *
 * @throws CustodyError `transaction/rejected`, and as the port says
 */
export async function estimate(
  quorum: Quorum<ProbedSource>,
  plan: TransactionPlan,
  options: EstimateOptions,
): Promise<FeeTerms> {
  const agreed = await agree(quorum, {
    subject: `a transfer from ${plan.from}`,
    ask: async (source, signal) => await estimateAt({ source, plan, signal }),
    digest: (answer) => String(answer.fails),
  });
  invariant(agreed !== undefined, 'A source either gives an estimate or fails.');
  const estimates = agreed.filter((answer) => !answer.fails);
  const failure = agreed.find((answer) => answer.fails);
  if (failure !== undefined) {
    throw new CustodyError(
      'transaction/rejected',
      `The chain says that sending ${plan.amount} of ${plan.asset} from ${plan.from} to ${plan.to} would fail: ${failure.reason}.`,
      { details: { asset: plan.asset, from: plan.from, to: plan.to, reason: failure.reason } },
    );
  }
  const gas = lowerMedian(estimates.map((answer) => answer.gas));
  const priority = lowerMedian(estimates.map((answer) => answer.priority));
  const baseFee = lowerMedian(estimates.map((answer) => answer.baseFee));
  // Twice the base fee outlasts six full blocks in a row, each of which raises it by an eighth.
  const wanted = baseFee * 2n + priority;
  const maxFeePerGas = wanted < options.maxFeePerGasMax ? wanted : options.maxFeePerGasMax;
  return {
    gasLimit: gas === plainTransferGas ? gas : (gas * (100n + options.gasMarginPercent) + 99n) / 100n,
    maxFeePerGas,
    maxPriorityFeePerGas: priority < maxFeePerGas ? priority : maxFeePerGas,
  };
}

type Inquiry = { readonly source: ProbedSource; readonly plan: TransactionPlan; readonly signal: AbortSignal };

async function estimateAt(inquiry: Inquiry): Promise<Estimate> {
  const { source, plan, signal } = inquiry;
  const { to, value, data } = callOf(plan);
  const request = {
    from: plan.from,
    to,
    value: hexQuantity(value),
    ...(data === '0x' ? {} : { data }),
    ...authorizationList(plan),
  };
  const reason = await objection(inquiry, request);
  if (reason !== undefined) return { fails: true, reason };
  const call = { method: 'eth_estimateGas', params: [request] };
  const answer = await source.ask(call, signal);
  if (!answer.ok) {
    if (saysItFails(answer)) return { fails: true, reason: reasonOf(answer) };
    throw refused(call, answer);
  }
  const gas = readQuantity(answer.result, 'the estimate of gas');
  const latest = await source.read({ method: 'eth_getBlockByNumber', params: ['latest', false] }, signal);
  const baseFee = readQuantity(
    readFields(latest, 'the newest block')['baseFeePerGas'],
    'the base fee of the newest block',
  );
  const tip = await source.ask({ method: 'eth_maxPriorityFeePerGas', params: [] }, signal);
  const priority = tip.ok ? readQuantity(tip.result, 'the suggested priority fee') : priorityFeeDefault;
  return { fails: false, gas, baseFee, priority };
}

/** As nodes take it beside a call, so that they estimate with the code that it sets. */
function authorizationList({ asset, authorizations = [] }: TransactionPlan): object {
  if (authorizations.length === 0) return {};
  const chainId = hexQuantity(BigInt(chainNumber(chainOf(asset))));
  return {
    authorizationList: authorizations.map(({ delegate, nonce, signature }) => ({
      chainId,
      address: delegate,
      nonce: hexQuantity(nonce),
      yParity: hexQuantity(BigInt(signature.yParity)),
      r: hexQuantity(signature.r),
      s: hexQuantity(signature.s),
    })),
  };
}

type CallRequest = { readonly to: Address };

/** Why the plan would fail though a node would estimate its gas; undefined where nothing speaks against it. */
async function objection(inquiry: Inquiry, request: CallRequest): Promise<string | undefined> {
  const { plan } = inquiry;
  if (plan.data !== undefined) {
    // What the authorisations make of an address without code only the estimate itself can tell.
    if (plan.authorizations !== undefined && plan.authorizations.length > 0) return undefined;
    return (await hasCode(inquiry, plan.to)) ? undefined : 'there is no contract at the address that is called';
  }
  return contractOf(plan.asset) === undefined ? weighCoin(inquiry) : simulateToken(inquiry, request);
}

async function hasCode({ source, signal }: Inquiry, address: Address): Promise<boolean> {
  const code = await source.read({ method: 'eth_getCode', params: [address, 'latest'] }, signal);
  return readData(code, `the code of ${address}`) !== '0x';
}

/** Some nodes estimate the gas of a payment without looking whether the sender has the coin. */
async function weighCoin(inquiry: Inquiry): Promise<string | undefined> {
  const { source, plan, signal } = inquiry;
  const value = await source.read({ method: 'eth_getBalance', params: [plan.from, 'latest'] }, signal);
  const balance = readQuantity(value, `the balance of ${plan.from}`);
  return balance < plan.amount ? `insufficient funds: the sender has ${balance}` : undefined;
}

/** Why a token transfer would fail, or undefined. A token that returns nothing is taken at its word, one that returns false too. */
async function simulateToken(inquiry: Inquiry, request: CallRequest): Promise<string | undefined> {
  const { source, signal } = inquiry;
  const call = { method: 'eth_call', params: [request, 'latest'] };
  const answer = await source.ask(call, signal);
  if (!answer.ok) {
    if (saysItFails(answer)) return reasonOf(answer);
    throw refused(call, answer);
  }
  const returned = readData(answer.result, 'what the token returns');
  if (returned === '0x') {
    return (await hasCode(inquiry, request.to)) ? undefined : 'there is no contract at the address of the token';
  }
  if (returned.length < 66) return 'the token returns less than a word';
  return BigInt(returned.slice(0, 66)) === 0n ? 'the token returns false' : undefined;
}

function lowerMedian(values: readonly bigint[]): bigint {
  const sorted = values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const median = sorted[Math.floor((sorted.length - 1) / 2)];
  invariant(median !== undefined, 'A median needs at least one value.');
  return median;
}

/** The k-th highest for the newest block, as for heads: a source that boasts or lags does not move it. */
export async function readNonce(
  quorum: Quorum<ProbedSource>,
  address: Address,
  at: BlockRef | 'latest',
): Promise<bigint> {
  const block = at === 'latest' ? at : { blockHash: at.hash, requireCanonical: true };
  const call = { method: 'eth_getTransactionCount', params: [address, block] };
  const subject = `the nonce of ${address}`;
  const ask = async (source: ProbedSource, signal: AbortSignal): Promise<bigint> =>
    readQuantity(await source.read(call, signal), subject);
  if (at !== 'latest') {
    const agreed = await agree(quorum, { subject, ask, digest: String });
    invariant(agreed?.[0] !== undefined, 'A source either gives a nonce or fails.');
    return agreed[0];
  }
  const reports = await gather(quorum, { subject, ask });
  const nonces = reports.map(({ report }) => report).toSorted((a, b) => (a < b ? 1 : a > b ? -1 : 0));
  const reached = nonces[quorum.needed - 1];
  invariant(reached !== undefined, 'At least k sources have reported.');
  return reached;
}

/** From best to worst: what one source saw outweighs what another, which may lag, did not. */
const outcomesFromBest: readonly BroadcastOutcome[] = [
  'accepted',
  'already-known',
  'nonce-used',
  'underpriced',
  'insufficient-coin',
  'unclear',
];

/**
 * Hands raw bytes to all sources, once each. Returns as soon as one has accepted; the others are not called off, because a
 * transaction is safer in more mempools.
 */
export async function broadcast(sources: readonly Source[], raw: Uint8Array): Promise<BroadcastOutcome> {
  const hex = bytesToHex(raw);
  const attempts = sources.map(
    async (source) => await hand(source, { method: 'eth_sendRawTransaction', params: [hex] }),
  );
  return await new Promise((resolve, reject) => {
    const accepted = attempts.map(async (attempt) => {
      const outcome = await attempt;
      if (outcome === 'accepted') resolve(outcome);
      return outcome;
    });
    const best = async (): Promise<void> => {
      const outcomes = await Promise.all(accepted);
      resolve(outcomesFromBest.find((outcome) => outcomes.includes(outcome)) ?? 'unclear');
    };
    best().catch(reject);
  });
}

async function hand(source: Source, call: RpcCall): Promise<BroadcastOutcome> {
  try {
    const answer = await source.send(call);
    if (!answer.ok) return broadcastOutcomeOf(answer);
    readHash(answer.result, 'the hash of a broadcast');
    return 'accepted';
  } catch (error) {
    // Nobody knows whether the bytes arrived.
    if (error instanceof CustodyError) return 'unclear';
    throw error;
  }
}

/**
 * Where a transaction stands. In a block only if k sources have it in the same block with the same outcome; in the mempool
 * if any source knows it otherwise.
 */
export async function sight(quorum: Quorum<ProbedSource>, hash: Hash): Promise<TransactionSight> {
  const reports = await gather(quorum, {
    subject: `transaction ${hash}`,
    ask: async (source, signal) => await sightAt(source, hash, signal),
  });
  const sights = reports.map(({ report }) => report);
  const counts = new Map<string, number>();
  for (const seen of sights) {
    if (seen.at !== 'block') continue;
    const key = `${seen.block.hash}:${seen.succeeded}`;
    const count = (counts.get(key) ?? 0) + 1;
    if (count >= quorum.needed) return seen;
    counts.set(key, count);
  }
  return sights.some(({ at }) => at !== 'unknown') ? { at: 'mempool' } : { at: 'unknown' };
}

async function sightAt(source: ProbedSource, hash: Hash, signal: AbortSignal): Promise<TransactionSight> {
  const receipt = await source.read({ method: 'eth_getTransactionReceipt', params: [hash] }, signal);
  if (receipt !== null) {
    const fields = readFields(receipt, `the receipt of ${hash}`);
    const owner = readHash(fields['transactionHash'], `the transaction of the receipt of ${hash}`);
    if (owner !== hash) throw nonsense(`the receipt of ${hash} belongs to another transaction`, owner);
    const number = readQuantity(fields['blockNumber'], `the height of ${hash}`);
    const block = { number, hash: readHash(fields['blockHash'], `the block of ${hash}`) };
    return { at: 'block', block, succeeded: readQuantity(fields['status'], `the status of ${hash}`) === 1n };
  }
  const known = await source.read({ method: 'eth_getTransactionByHash', params: [hash] }, signal);
  if (known === null) return { at: 'unknown' };
  const owner = readHash(readFields(known, `transaction ${hash}`)['hash'], `the hash of ${hash}`);
  if (owner !== hash) throw nonsense(`transaction ${hash} was asked for and another came`, owner);
  return { at: 'mempool' };
}
