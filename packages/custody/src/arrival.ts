import { type Address, type AssetId, type Disposition, type MovementKind, contractOf } from '@bulkhead/domain';
import type { StoredMovement } from './movement.ts';
import type { WalletPurpose } from './wallet.ts';

/** What decides where an arrival is booked. */
export type Arrival = {
  readonly kind: MovementKind;
  readonly credited: bigint;
  readonly dustMax: bigint;
  /** The receiving wallet. */
  readonly purpose: WalletPurpose;
  readonly client: string | undefined;
  /** It left a wallet of ours, and no dispatch of that wallet sent it. */
  readonly fromOwnWallet: boolean;
};

/**
 * Where value that arrived is booked. What nobody can explain never reaches a client, whatever the address: neither coins
 * that no transaction brought, nor what somebody else moved out of a wallet of ours. Its claims stand where it left, so that a
 * credit where it arrived would be a second one, and at a house wallet the coins of clients would become the house's.
 */
export function dispositionOf(arrival: Arrival): Disposition {
  if (arrival.kind === 'balance-difference' || arrival.fromOwnWallet) return 'unexplained';
  if (arrival.purpose === 'gas' || arrival.purpose === 'fees') return 'house-funding';
  if (arrival.credited <= arrival.dustMax) return 'dust';
  return arrival.client === undefined ? 'unassigned' : 'client';
}

/** One wallet and token that events of a block say received something. */
export type TokenArrival = { readonly asset: AssetId; readonly address: Address };

/** The wallets and tokens whose balances decide what a block credits, without repetition. */
export function tokenArrivals(
  movements: readonly StoredMovement[],
  isOurs: (address: Address) => boolean,
): readonly TokenArrival[] {
  const found = new Map<string, TokenArrival>();
  for (const { asset, to, from, amount } of movements) {
    if (contractOf(asset) === undefined || to === undefined || from === to || amount === 0n || !isOurs(to)) continue;
    found.set(arrivalKey(asset, to), { asset, address: to });
  }
  return [...found.values()];
}

function arrivalKey(asset: AssetId, address: Address): string {
  return `${asset} ${address}`;
}

export type BalanceChange = TokenArrival & { readonly before: bigint; readonly after: bigint };

/**
 * What each event of a block really brought, by movement id. The balance decides: what came in is the change of the balance
 * plus what went out, never more than the events say. Where less came than several events say, each gets its share: the first
 * k events together get their part of the whole rounded down, so that the shares add up exactly and depend on nothing but the order.
 */
export function creditsOf(
  movements: readonly StoredMovement[],
  changes: readonly BalanceChange[],
): ReadonlyMap<string, bigint> {
  const credits = new Map<string, bigint>();
  for (const { asset, address, before, after } of changes) {
    const crossing = movements.filter((movement) => movement.asset === asset && movement.from !== movement.to);
    const incoming = crossing.filter((movement) => movement.to === address);
    const said = sum(incoming);
    const came = after - before + sum(crossing.filter((movement) => movement.from === address));
    const arrived = came < 0n ? 0n : came < said ? came : said;
    let saidBefore = 0n;
    for (const { id, amount } of incoming) {
      if (amount === 0n) continue;
      const share = ((saidBefore + amount) * arrived) / said - (saidBefore * arrived) / said;
      credits.set(id, share);
      saidBefore += amount;
    }
  }
  return credits;
}

function sum(movements: readonly StoredMovement[]): bigint {
  return movements.reduce((total, { amount }) => total + amount, 0n);
}
