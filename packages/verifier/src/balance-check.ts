import { type Address, parseAddress } from '@bulkhead/domain';
import { type BalancePlace, balanceSlot, type ReserveHeader } from '@bulkhead/proofs';
import { bytesOf } from '@bulkhead/vaults';
import { equalBytes, numberOf } from './bytes.ts';
import { type ChainView, readProven, readWord, type Unread } from './chain-view.ts';
import type { PinnedToken } from './order.ts';
import { fails, few, holds, type Step, unknown } from './report.ts';
import { addressWord } from './typed-digest.ts';

/** What the chain shows of addresses at the pinned block, in the asset's smallest unit. */
export type Balances = {
  readonly of: ReadonlyMap<Address, bigint>;
  /** Whether each is proven out of the state, in a place that the reader knows to be that of balances. */
  readonly steps: readonly Step[];
};

/** Slots that are asked for in one call, and calls that wait at once. */
const slotsAtOnce = 64;
const callsAtOnce = 8;

/** Reads balances out of the state of a block; unread where nobody proves one of them. */
export async function readBalances(
  view: ChainView,
  of: {
    readonly header: ReserveHeader;
    readonly declared: BalancePlace;
    readonly tokens: readonly PinnedToken[];
    readonly addresses: readonly Address[];
    readonly progress: (what: string) => void;
  },
): Promise<Balances | Unread> {
  const token = tokenOf(of.header);
  if (token === undefined) return await nativeBalances(view, of);
  const pinned = of.tokens.find((each) => each.token === token);
  const place = pinned?.balances ?? of.declared;
  if (place.form === 'account') return { unread: 'A token has no balances in accounts.', answered: true };
  if (place.form === 'unknown') return await toldBalances(view, { ...of, token });
  const slots = of.addresses.map((address) => balanceSlot(place, bytesOf(address)));
  const values: bigint[] = [];
  for (let from = 0; from < slots.length; from += slotsAtOnce) {
    of.progress(`reading ${from} of ${slots.length} balances`);
    const proven = await readProven(view, { address: bytesOf(token), slots: slots.slice(from, from + slotsAtOnce) });
    if ('unread' in proven) return proven;
    values.push(...proven.slots);
  }
  const found = new Map(of.addresses.map((address, at) => [address, values[at] ?? 0n]));
  const layout =
    pinned === undefined ? await comparedLayout(view, { token, found }) : await pinnedLayout(view, { token, pinned });
  return { of: found, steps: [layout] };
}

/** The contract of an ERC-20 asset; undefined for a native coin. */
function tokenOf({ asset }: ReserveHeader): Address | undefined {
  const [, token] = /\/erc20:(0x[0-9a-fA-F]{40})$/u.exec(asset) ?? [];
  return token === undefined ? undefined : parseAddress(token);
}

/** Whether an asset is the coin of its chain. */
export function isNative(header: ReserveHeader): boolean {
  return tokenOf(header) === undefined;
}

async function nativeBalances(
  view: ChainView,
  of: {
    readonly declared: BalancePlace;
    readonly addresses: readonly Address[];
    readonly progress: (what: string) => void;
  },
): Promise<Balances | Unread> {
  if (of.declared.form !== 'account') {
    return { unread: 'A native coin lies in accounts and nowhere else.', answered: true };
  }
  const found = new Map<Address, bigint>();
  for (let from = 0; from < of.addresses.length; from += callsAtOnce) {
    of.progress(`reading ${from} of ${of.addresses.length} balances`);
    const some = of.addresses.slice(from, from + callsAtOnce);
    const accounts = await Promise.all(
      some.map((address) => readProven(view, { address: bytesOf(address), slots: [] })),
    );
    for (const [at, account] of accounts.entries()) {
      const address = some[at];
      if ('unread' in account) return account;
      if (address !== undefined) found.set(address, account.balance);
    }
  }
  return { of: found, steps: [] };
}

type Told = { readonly token: Address; readonly addresses: readonly Address[] };

/** Nobody knows where this token keeps balances: the nodes are asked, and believed where they agree. */
async function toldBalances(view: ChainView, { token, addresses }: Told): Promise<Balances | Unread> {
  const found = new Map<Address, bigint>();
  for (const address of addresses) {
    const balance = await toldBalance(view, token, address);
    if (balance === undefined) {
      return { unread: 'The nodes do not give the same balances of that block.', answered: false };
    }
    found.set(address, balance);
  }
  const reason =
    'Where this token keeps balances is not known, so they are what your nodes say, alike, and nothing proves them.';
  return { of: found, steps: [unknown('token-layout', reason)] };
}

async function toldBalance(view: ChainView, token: Address, address: Address): Promise<bigint | undefined> {
  const call = { form: 'balanceOf(address)', argument: addressWord(bytesOf(address)) };
  const word = await readWord(view, bytesOf(token), call);
  return word === undefined ? undefined : numberOf(word);
}

/** The custodian names the slot: what stands there must at least be what the token itself answers. */
async function comparedLayout(
  view: ChainView,
  { token, found }: { readonly token: Address; readonly found: ReadonlyMap<Address, bigint> },
): Promise<Step> {
  const other: Address[] = [];
  for (const [address, proven] of found) {
    const said = await toldBalance(view, token, address);
    if (said !== undefined && said !== proven) other.push(address);
  }
  if (other.length > 0) {
    const reason = `The custodian names a place for balances of ${token} that has other numbers than the token answers: ${few(other)}.`;
    return fails('token-layout', reason);
  }
  const reason = `That balances of ${token} lie where the custodian says is not known to you; the nodes answer the same. Pin the place to be sure.`;
  return unknown('token-layout', reason);
}

async function pinnedLayout(
  view: ChainView,
  { token, pinned }: { readonly token: Address; readonly pinned: PinnedToken },
): Promise<Step> {
  if (pinned.codeHash === undefined) return holds('token-layout', `Balances of ${token} are read where you said.`);
  const account = await readProven(view, { address: bytesOf(token), slots: [] });
  if ('unread' in account) return unknown('token-layout', account.unread);
  return equalBytes(account.codeHash, pinned.codeHash)
    ? holds('token-layout', `Balances of ${token} are read where you said, and its code is the one that you pinned.`)
    : fails('token-layout', `The code of ${token} is not the one that you pinned: balances may lie elsewhere now.`);
}
