import { type Address, parseAddress } from '@bulkhead/domain';
import { hexQuantity, readQuantity } from '@bulkhead/chain-evm';
import { type HistoryEntry, type Hex, nativeToken, type VaultConfig } from '@bulkhead/vaults';
import type { PlacedLog } from './chain-questions.ts';
import { type Examination, report } from './examination.ts';

/** First topic of an ERC-20 `Transfer(address,address,uint256)`. */
export const transferTopic: Hex = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef';

export type Outflow = {
  readonly height: bigint;
  readonly transaction: string;
  readonly token: Address;
  readonly to: Address;
  readonly amount: bigint;
};

/** What a vault says left it. */
export function outflowsOf(entries: readonly HistoryEntry[], config: VaultConfig): readonly Outflow[] {
  return entries.flatMap(({ height, transaction, event }) => {
    if (event.event === 'Withdrawn' || event.event === 'Exited') {
      return [{ height, transaction, token: event.token, to: event.to, amount: event.amount }];
    }
    if (event.event === 'FeeCollected' && event.amount > 0n) {
      return [{ height, transaction, token: event.token, to: config.feeReceiver, amount: event.amount }];
    }
    return [];
  });
}

type Transfer = Outflow & { readonly known: boolean };

type Told = {
  readonly transfers: readonly PlacedLog[];
  readonly outflows: readonly Outflow[];
  /** Those the vault knows. */
  readonly tokens: ReadonlySet<Address>;
};

/** Each transfer of a token that the vault knows has one event of the vault in its transaction, and each event one transfer. */
export function examineTransfers(examination: Pick<Examination, 'steps' | 'unknowns'>, told: Told): void {
  const transfers = told.transfers.flatMap((log) => transferOf(log, told.tokens));
  const outflows = told.outflows.filter(({ token }) => token !== nativeToken);
  const rest = without(transfers, outflows);
  const silent = without(outflows, transfers);
  const split = rest.filter((transfer) => isSplit(rest, silent, transfer));
  const unexplained = rest.filter((transfer) => !split.includes(transfer));
  const untold = silent.filter((outflow) => !split.some((transfer) => placeOf(transfer) === placeOf(outflow)));
  report(examination, 'token transfers', {
    wrong: [
      ...unexplained.filter(({ known }) => known).map((each) => `${textOf(each)} left without an event of the vault`),
      ...untold.map((each) => `${textOf(each)} left by an event of the vault, and the token does not say so`),
    ],
    ok: `${transfers.length - unexplained.length} transfers out, each with its event and each event with its transfer`,
  });
  if (split.length > 0) {
    examination.unknowns.push(
      `Why tokens told ${split.length} transfers where the vault paid fewer times: a fee of the token? The sums agree.`,
    );
  }
  const foreign = unexplained.filter(({ known }) => !known).length;
  if (foreign > 0) {
    examination.unknowns.push(
      `${foreign} transfers out of tokens that this vault never had a limit or a payment of: contracts of strangers can say what they like.`,
    );
  }
}

/** Of nothing anybody can have a token say that it left. */
function transferOf(log: PlacedLog, tokens: ReadonlySet<Address>): readonly Transfer[] {
  const { address: token, height, transaction, topics, data } = log;
  const amount = data.length === 66 ? BigInt(data) : 0n;
  const to = addressInTopic(topics[2]);
  return amount === 0n || to === undefined
    ? []
    : [{ height, transaction, token, to, amount, known: tokens.has(token) }];
}

/** What is left of a list when each entry of another takes one that is like it. */
function without<T extends Outflow>(list: readonly T[], taken: readonly Outflow[]): readonly T[] {
  const open = new Map<string, number>();
  for (const each of taken) open.set(nameOf(each), (open.get(nameOf(each)) ?? 0) + 1);
  return list.filter((each) => {
    const count = open.get(nameOf(each)) ?? 0;
    open.set(nameOf(each), count - 1);
    return count <= 0;
  });
}

/** A token that keeps a part tells one payment as several: most of it to whom the event names, and all together as much. */
function isSplit(rest: readonly Outflow[], silent: readonly Outflow[], like: Outflow): boolean {
  const part = rest.filter((each) => placeOf(each) === placeOf(like));
  const whole = silent.filter((each) => placeOf(each) === placeOf(like));
  const arrives = whole.every(({ to, amount }) => part.some((each) => each.to === to && each.amount < amount));
  return arrives && sumOf(part, like) === sumOf(whole, like);
}

function sumOf(list: readonly Outflow[], like: Outflow): bigint {
  return list.filter((each) => placeOf(each) === placeOf(like)).reduce((sum, { amount }) => sum + amount, 0n);
}

function placeOf({ transaction, token }: Outflow): string {
  return `${transaction} ${token}`;
}

function textOf({ height, transaction, token, to, amount }: Outflow): string {
  return `Block ${height}, ${transaction}: ${amount} of ${token} to ${to}`;
}

/** In no block is less coin there than the events explain. */
export async function examineCoin(
  examination: Examination,
  { vault, outflows, from }: { readonly vault: Address; readonly outflows: readonly Outflow[]; readonly from: bigint },
): Promise<void> {
  const { questions, head } = examination;
  const spent = new Map<bigint, bigint>();
  for (const { height, token, amount } of outflows) {
    if (token === nativeToken) spent.set(height, (spent.get(height) ?? 0n) + amount);
  }
  const all = head.height - from < coinBlocksMax;
  const heights = all
    ? Array.from({ length: Number(head.height - from) + 1 }, (_, place) => from + BigInt(place))
    : [...spent.keys()];
  const balances = await balancesAt(examination, vault, [...new Set(heights.flatMap((each) => [each - 1n, each]))]);
  const wrong: string[] = [];
  let checked = 0;
  for (const height of heights) {
    const [before, after] = [balances.get(height - 1n), balances.get(height)];
    if (before === undefined || after === undefined) continue;
    checked += 1;
    const explained = spent.get(height) ?? 0n;
    if (after < before - explained) {
      wrong.push(`Block ${height}: the balance fell by ${before - after}, and the vault's events explain ${explained}`);
    }
  }
  if (checked === 0 && heights.length > 0) {
    const reason = `${questions.name} does not know balances of older blocks`;
    examination.steps.push({ name: 'native coin', result: 'unknown', reason });
    return;
  }
  report(examination, 'native coin', {
    wrong,
    ok: `in ${checked} blocks the balance fell by no more than the events say`,
  });
  if (!all) examination.unknowns.push('Native coin was looked at only in blocks with an event of the vault.');
  if (checked < heights.length) {
    examination.unknowns.push(
      `Native coin of ${heights.length - checked} blocks: the node does not know their state any more.`,
    );
  }
}

/** Blocks whose balances are asked for one by one. */
const coinBlocksMax = 20_000n;

const balancesAtOnce = 32;

/** Balances where the node knows them. */
async function balancesAt(
  { questions }: Examination,
  vault: Address,
  heights: readonly bigint[],
): Promise<ReadonlyMap<bigint, bigint>> {
  const found = new Map<bigint, bigint>();
  for (let start = 0; start < heights.length; start += balancesAtOnce) {
    const part = heights.slice(start, start + balancesAtOnce);
    const answers = await Promise.all(
      part.map(async (height) => {
        if (height < 0n) return '0x0';
        const answer = await questions.source.ask({ method: 'eth_getBalance', params: [vault, hexQuantity(height)] });
        return answer.ok ? answer.result : undefined;
      }),
    );
    for (const [place, answer] of answers.entries()) {
      if (typeof answer === 'string') found.set(part[place] ?? 0n, readQuantity(answer, 'a balance'));
    }
  }
  return found;
}

function nameOf({ transaction, token, to, amount }: Outflow): string {
  return `${transaction} ${token} ${to} ${amount}`;
}

/** The address that a topic holds. */
function addressInTopic(topic: Hex | undefined): Address | undefined {
  return topic === undefined || !topic.startsWith(`0x${'0'.repeat(24)}`)
    ? undefined
    : parseAddress(`0x${topic.slice(26)}`);
}
