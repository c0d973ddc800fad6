import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  chainOf,
  type Chain,
  type Compartment,
  compartmentFirst,
  invariant,
  parseAddress,
  parseCompartment,
  parseHash,
} from '@bulkhead/domain';
import type { Database, Transaction } from '@bulkhead/postgres';
import { type Claim, type ClaimKind, liabilityUnits, type ReserveHeader, reserveUnits } from '@bulkhead/proofs';
import { claimsBehind } from './claim-reading.ts';
import { hexOf } from './epoch.ts';
import { LineWriter, linesOf, privateMode } from './line-file.ts';
import {
  bookedReserves,
  type CompartmentPosition,
  type HeldWallet,
  heldWallets,
  type ReserveWallet,
  type WalletSource,
} from './position.ts';

/** How long one statement of the reading may take: sorting a million accounts is one of them. */
const readingMsMax = 600_000;

/** What a compartment owes and has at the pinned block, exactly and in units. */
export type CompartmentReading = CompartmentPosition & {
  readonly claims: number;
  readonly liabilities: bigint;
  readonly reserves: bigint;
};

/** Everything that an epoch is made of, in files of a private folder: what was read once is not read again. */
export type Snapshot = {
  readonly folder: string;
  /** Compartments that owe something, or that coins were found in, ascending. */
  readonly compartments: readonly CompartmentReading[];
};

export type SnapshotParts = { readonly db: Database; readonly chain: Chain; readonly wallets: WalletSource };

const names = { claims: 'claims', wallets: 'wallets', compartments: 'compartments', whole: 'whole' } as const;

/** The snapshot in a folder, read from the books where it is not there whole. */
export async function snapshotIn(folder: string, header: ReserveHeader, parts: SnapshotParts): Promise<Snapshot> {
  // The last file says that the others are whole: a crash before it reads everything again.
  if (!existsSync(join(folder, names.whole))) await readInto(folder, header, parts);
  return openSnapshot(folder);
}

/** A snapshot that was read before. */
export function openSnapshot(folder: string): Snapshot {
  return { folder, compartments: Array.from(linesOf(join(folder, names.compartments)), readingOf) };
}

async function readInto(folder: string, header: ReserveHeader, { db, chain, wallets }: SnapshotParts): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const owed = new Map<Compartment, { claims: number; owed: bigint; liabilities: bigint }>();
  const known = join(folder, 'addresses');
  const booked = await db.transaction(
    async (tx) => {
      await tx.query(`set local statement_timeout = ${readingMsMax}`);
      await writeClaims(tx, join(folder, names.claims), { header, owed });
      await writeAddresses(known, wallets(tx, chainOf(header.asset)));
      return bookedReserves(tx, { asset: header.asset, block: header.blockNumber });
    },
    // One state of the books for all of it, whatever is posted meanwhile.
    { isolation: 'repeatable read', readOnly: true },
  );
  const held = await writeHeld(folder, { header, chain, addresses: addressesIn(known) });
  const lines = new LineWriter(join(folder, names.compartments));
  for (const compartment of [...new Set([...owed.keys(), ...held.keys(), ...booked.keys()])].toSorted(
    (a, b) => a - b,
  )) {
    const side = owed.get(compartment) ?? { claims: 0, owed: 0n, liabilities: 0n };
    const has = held.get(compartment) ?? 0n;
    const inBooks = booked.get(compartment) ?? 0n;
    if (side.claims === 0 && has === 0n && inBooks === 0n) continue;
    const amounts = [side.claims, side.owed, inBooks, has, side.liabilities, reserveUnits(header, has)];
    lines.add([compartment, ...amounts].join('\t'));
  }
  lines.end();
  writeFileSync(join(folder, names.whole), `${hexOf(header.blockHash)}\n`, { mode: privateMode, flush: true });
}

async function writeClaims(
  tx: Transaction,
  path: string,
  of: {
    readonly header: ReserveHeader;
    readonly owed: Map<Compartment, { claims: number; owed: bigint; liabilities: bigint }>;
  },
): Promise<void> {
  const lines = new LineWriter(path);
  const { asset, ledgerPosition: position } = of.header;
  for await (const { compartment, kind, holder, amount } of claimsBehind(tx, { asset, position })) {
    lines.add([compartment, kind, Buffer.from(holder).toString('latin1'), amount].join('\t'));
    const sum = of.owed.get(compartment) ?? { claims: 0, owed: 0n, liabilities: 0n };
    sum.claims += 1;
    sum.owed += amount;
    sum.liabilities += liabilityUnits(of.header, amount);
    of.owed.set(compartment, sum);
  }
  lines.end();
}

async function writeAddresses(path: string, wallets: AsyncIterable<ReserveWallet>): Promise<void> {
  const lines = new LineWriter(path);
  for await (const { id, compartment, address, sort } of wallets) {
    if (compartment >= compartmentFirst.group) lines.add([compartment, address, sort, id].join('\t'));
  }
  lines.end();
}

function* addressesIn(path: string): Generator<ReserveWallet, undefined> {
  for (const line of linesOf(path)) {
    const [compartment = '', address = '', sort = '', id = ''] = line.split('\t');
    yield {
      id,
      compartment: parseCompartment(Number(compartment)),
      address: parseAddress(address),
      sort: sortOf(sort),
    };
  }
}

function sortOf(text: string): ReserveWallet['sort'] {
  if (text === 'key' || text === 'vault' || text === 'forwarder') return text;
  invariant(false, `"${text}" is no sort of a wallet.`);
}

async function writeHeld(
  folder: string,
  of: { readonly header: ReserveHeader; readonly chain: Chain; readonly addresses: Iterable<ReserveWallet> },
): Promise<ReadonlyMap<Compartment, bigint>> {
  const { asset, blockNumber, blockHash } = of.header;
  const block = { number: blockNumber, hash: parseHash(hexOf(blockHash)) };
  const held = new Map<Compartment, bigint>();
  const seen = new Set<string>();
  const lines = new LineWriter(join(folder, names.wallets));
  for await (const wallet of heldWallets(of.chain, { asset, block }, of.addresses)) {
    const { id, compartment, address, sort, balance } = wallet;
    // Coins at one address are the reserves of one compartment, once.
    invariant(!seen.has(address), `${address} is a wallet twice.`, { wallet: id });
    seen.add(address);
    lines.add([compartment, address, sort, id, balance].join('\t'));
    held.set(compartment, (held.get(compartment) ?? 0n) + balance);
  }
  lines.end();
  return held;
}

function readingOf(line: string): CompartmentReading {
  const [compartment = '', claims = '', owed = '', booked = '', held = '', liabilities = '', reserves = ''] =
    line.split('\t');
  return {
    compartment: parseCompartment(Number(compartment)),
    claims: Number(claims),
    owed: BigInt(owed),
    booked: BigInt(booked),
    held: BigInt(held),
    liabilities: BigInt(liabilities),
    reserves: BigInt(reserves),
  };
}

const kinds: Readonly<Record<string, ClaimKind>> = {
  client: 'client',
  'fee-payable': 'fee-payable',
  suspense: 'suspense',
};

/** Claims of the snapshot in their order. */
export function* claimsIn({ folder }: Snapshot): Generator<Claim & { readonly compartment: Compartment }, undefined> {
  for (const line of linesOf(join(folder, names.claims))) {
    const [compartment = '', name = '', holder = '', amount = ''] = line.split('\t');
    const kind = kinds[name];
    invariant(kind !== undefined, `"${name}" is no kind of a claim.`);
    yield {
      compartment: parseCompartment(Number(compartment)),
      kind,
      holder: new TextEncoder().encode(holder),
      amount: BigInt(amount),
    };
  }
}

/** Wallets of the snapshot that hold something, ascending by compartment. */
export function* walletsIn({ folder }: Snapshot): Generator<HeldWallet, undefined> {
  for (const line of linesOf(join(folder, names.wallets))) {
    const [compartment = '', address = '', sort = '', id = '', balance = ''] = line.split('\t');
    yield {
      id,
      compartment: parseCompartment(Number(compartment)),
      address: parseAddress(address),
      sort: sortOf(sort),
      balance: BigInt(balance),
    };
  }
}
