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

/** Each transfer of a token that the vault knows has one event of the vault in its transaction, and each event one transfer. */
export function examineTransfers(
  examination: Examination,
  {
    transfers,
    outflows,
    tokens,
  }: {
    readonly transfers: readonly PlacedLog[];
    readonly outflows: readonly Outflow[];
    readonly tokens: ReadonlySet<Address>;
  },
): void {
  const open = new Map<string, number>();
  const wrong: string[] = [];
  for (const outflow of outflows) {
    if (outflow.token === nativeToken) continue;
    const name = nameOf(outflow);
    open.set(name, (open.get(name) ?? 0) + 1);
  }
  let unknown = 0;
  for (const transfer of transfers) {
    const amount = transfer.data.length === 66 ? BigInt(transfer.data) : 0n;
    const to: Address | undefined = addressInTopic(transfer.topics[2]);
    // Anybody can have a token say that nothing left, or that something left of a token nobody asked for.
    if (amount === 0n || to === undefined) continue;
    const { address: token, transaction } = transfer;
    const name = nameOf({ transaction, token, to, amount });
    const left = open.get(name) ?? 0;
    if (left > 0) {
      open.set(name, left - 1);
    } else if (tokens.has(token)) {
      wrong.push(
        `Block ${transfer.height}, ${transaction}: ${amount} of ${token} left to ${to} without an event of the vault`,
      );
    } else {
      unknown += 1;
    }
  }
  for (const [name, count] of open) {
    if (count > 0) wrong.push(`an event says that something left, and the token does not: ${name}`);
  }
  report(examination, 'token transfers', {
    wrong,
    ok: `${transfers.length - unknown} transfers out, each with its event and each event with its transfer`,
  });
  if (unknown > 0) {
    examination.unknowns.push(
      `${unknown} transfers out of tokens that this vault never had a limit or a payment of: contracts of strangers can say what they like.`,
    );
  }
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

function nameOf({ transaction, token, to, amount }: Omit<Outflow, 'height'>): string {
  return `${transaction} ${token} ${to} ${amount}`;
}

/** The address that a topic holds. */
function addressInTopic(topic: Hex | undefined): Address | undefined {
  return topic === undefined || !topic.startsWith(`0x${'0'.repeat(24)}`)
    ? undefined
    : parseAddress(`0x${topic.slice(26)}`);
}
