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
  readonly of: ReadonlyMap<Address, bigint> | Unread;
  /** Of a token: who says where its balances lie, and whether the token answers the same. */
  readonly steps: readonly Step[];
};

type Mapping = Extract<BalancePlace, { readonly slot: bigint }>;

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
): Promise<Balances> {
  const token = tokenOf(of.header);
  if (token === undefined) return await nativeBalances(view, of);
  const pinned = of.tokens.find((each) => each.token === token);
  const place = pinned?.balances ?? of.declared;
  if (place.form === 'account') return unread('A token has no balances in accounts.', true);
  if (place.form === 'unknown') return await toldBalances(view, { ...of, token });
  const found = await readMapping(view, { ...of, token, place });
  if ('unread' in found) return { of: found, steps: [] };
  const said = await askBalances(view, { ...of, token });
  const steps = [
    pinned === undefined ? claimedLayout(token, place) : await pinnedLayout(view, { token, pinned }),
    answersStep(token, { found, said }),
  ];
  return { of: pinned === undefined ? leastOf(found, said) : found, steps };
}

function unread(why: string, answered: boolean): Balances {
  return { of: { unread: why, answered }, steps: [] };
}

/**
 * What stands in a mapping of a token for addresses, out of the state of a block by Merkle proofs. That it is the one of balances this
 * does not show.
 */
async function readMapping(
  view: ChainView,
  of: {
    readonly token: Address;
    readonly place: Mapping;
    readonly addresses: readonly Address[];
    readonly progress?: (what: string) => void;
  },
): Promise<ReadonlyMap<Address, bigint> | Unread> {
  const slots = of.addresses.map((address) => balanceSlot(of.place, bytesOf(address)));
  const values: bigint[] = [];
  for (let from = 0; from < slots.length; from += slotsAtOnce) {
    of.progress?.(`reading ${from} of ${slots.length} balances`);
    const proven = await readProven(view, { address: bytesOf(of.token), slots: slots.slice(from, from + slotsAtOnce) });
    if ('unread' in proven) return proven;
    values.push(...proven.slots);
  }
  return new Map(of.addresses.map((address, at) => [address, values[at] ?? 0n]));
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
): Promise<Balances> {
  if (of.declared.form !== 'account') return unread('A native coin lies in accounts and nowhere else.', true);
  const found = new Map<Address, bigint>();
  for (let from = 0; from < of.addresses.length; from += callsAtOnce) {
    of.progress(`reading ${from} of ${of.addresses.length} balances`);
    const some = of.addresses.slice(from, from + callsAtOnce);
    const accounts = await Promise.all(
      some.map((address) => readProven(view, { address: bytesOf(address), slots: [] })),
    );
    for (const [at, account] of accounts.entries()) {
      const address = some[at];
      if ('unread' in account) return { of: account, steps: [] };
      if (address !== undefined) found.set(address, account.balance);
    }
  }
  return { of: found, steps: [] };
}

type Told = { readonly token: Address; readonly addresses: readonly Address[] };

/** Nobody knows where this token keeps balances: the nodes are asked, and believed where they agree. */
async function toldBalances(view: ChainView, of: Told): Promise<Balances> {
  const said = await askBalances(view, of);
  if (said === undefined) return unread('The nodes do not give the same balances of that block.', false);
  const reason =
    'Where this token keeps balances is not known, so they are what your nodes say, alike, and nothing proves them.';
  return { of: said, steps: [unknown('token-layout', reason)] };
}

/** What the token itself answers at the block, as every node says alike; undefined where one is silent or they differ. */
async function askBalances(
  view: ChainView,
  { token, addresses }: Told,
): Promise<ReadonlyMap<Address, bigint> | undefined> {
  const said = new Map<Address, bigint>();
  for (let from = 0; from < addresses.length; from += callsAtOnce) {
    const some = addresses.slice(from, from + callsAtOnce);
    const words = await Promise.all(
      some.map((address) =>
        readWord(view, bytesOf(token), { form: 'balanceOf(address)', argument: addressWord(bytesOf(address)) }),
      ),
    );
    for (const [at, address] of some.entries()) {
      const word = words[at];
      if (word === undefined) return undefined;
      said.set(address, numberOf(word));
    }
  }
  return said;
}

type Read = {
  readonly found: ReadonlyMap<Address, bigint>;
  readonly said: ReadonlyMap<Address, bigint> | undefined;
};

/**
 * Any number can stand in some mapping of a token: what somebody may spend for another, a counter, or, in a slot that is itself a hash, what
 * the custodian wrote there. So the place is only held against the answers of the token, which are the nodes' word.
 */
function answersStep(token: Address, { found, said }: Read): Step {
  if (said === undefined) {
    const reason = `Your nodes do not answer alike what ${token} itself says of these balances at that block, so that nothing is held against the place they were read in.`;
    return unknown('token-answers', reason);
  }
  const other = [...found].flatMap(([address, proven]) => (said.get(address) === proven ? [] : [address]));
  if (other.length > 0) {
    const reason = `In that place stand other numbers than ${token} itself answers at that block: ${few(other)}. It is not the place of balances, or the token works them out.`;
    return fails('token-answers', reason);
  }
  return holds(
    'token-answers',
    `${token} itself answers the same at that block for all ${found.size} addresses, as your nodes say.`,
  );
}

/** In a place that nobody but the custodian names, nothing counts that the token does not confirm. */
function leastOf(found: Read['found'], said: Read['said']): Balances['of'] {
  if (said === undefined) {
    const why = 'Where balances lie only the custodian says, and your nodes do not confirm them alike. Pin the place.';
    return { unread: why, answered: false };
  }
  return new Map(
    [...found].map(([address, proven]) => {
      const told = said.get(address) ?? 0n;
      return [address, told < proven ? told : proven];
    }),
  );
}

function claimedLayout(token: Address, place: Mapping): Step {
  const reason = `That balances of ${token} lie at slot ${place.slot} (${place.form}) is the custodian’s word. Read it in the token’s source, and pin the place to be sure.`;
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
