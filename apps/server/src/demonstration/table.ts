import { type AssetId, formatDecimal, nativeAsset, parseAddress, tokenAsset } from '@bulkhead/domain';
import { field, numberIn, words } from './client.ts';
import { stage } from './outside.ts';
import type { Scene } from './scene.ts';

type Row = {
  readonly client: string;
  readonly compartment: string;
  readonly books: string;
  readonly chain: string;
  readonly difference: string;
  readonly note: string;
};

const headings: Row = {
  client: 'client',
  compartment: 'compartment',
  books: 'books',
  chain: 'chain',
  difference: 'difference',
  note: '',
};

type Unit = { readonly asset: AssetId; readonly symbol: string; readonly decimals: number };

/** Result of the story as a table: for each ring-fence and asset what the books say, what the chain says, and the difference. */
export async function resultTable(
  scene: Scene,
): Promise<{ readonly lines: readonly string[]; readonly differences: number }> {
  const units: readonly Unit[] = [
    { asset: nativeAsset(scene.chain), symbol: 'ETH', decimals: 18 },
    { asset: tokenAsset(scene.chain, stage.token), symbol: 'bUSD', decimals: 6 },
  ];
  const { api, cast } = scene;
  const clients = await api.list(cast.operator, '/v1/clients');
  const names = new Map(clients.map((client) => [words(client, 'id'), words(client, 'reference')]));
  const rows: Row[] = [];
  let differences = 0;
  for (const compartment of await api.list(cast.operator, '/v1/compartments')) {
    for (const unit of units) {
      const part = await compartmentRows(scene, { compartment, unit, names });
      rows.push(...part.rows);
      if (part.differs) differences += 1;
    }
  }
  return { lines: render([headings, ...rows]), differences };
}

type Part = { readonly compartment: unknown; readonly unit: Unit; readonly names: ReadonlyMap<string, string> };

async function compartmentRows(scene: Scene, part: Part): Promise<{ rows: readonly Row[]; differs: boolean }> {
  const { compartment, unit, names } = part;
  const books = field(compartment, 'books');
  const book: unknown = Array.isArray(books)
    ? books.find((one: unknown) => field(one, 'asset') === unit.asset)
    : undefined;
  if (book === undefined) return { rows: [], differs: false };
  const number = numberIn(compartment, 'number');
  const kind = words(compartment, 'kind');
  const inBooks = BigInt(words(book, 'wallet'));
  const onChain = await chainTotal(scene, number, unit);
  const show = (amount: bigint): string => `${formatDecimal(amount, unit.decimals)} ${unit.symbol}`;
  const owner = field(compartment, 'clientId');
  const frozen = field(compartment, 'frozen') === true ? 'frozen' : '';
  const total: Row = {
    client: typeof owner === 'string' ? (names.get(owner) ?? owner) : kind === 'omnibus' ? 'pool' : kind,
    compartment: `${number} (${kind})`,
    books: show(inBooks),
    chain: show(onChain),
    difference: onChain === inBooks ? '0' : show(onChain - inBooks),
    note: frozen,
  };
  const shares =
    kind === 'house'
      ? []
      : await claimRows(scene, { names: kind === 'omnibus' ? names : new Map(), number, unit, show, book });
  return { rows: [total, ...shares], differs: inBooks !== onChain };
}

type Shares = {
  readonly names: ReadonlyMap<string, string>;
  readonly number: number;
  readonly unit: Unit;
  readonly show: (amount: bigint) => string;
  readonly book: unknown;
};

/** What each client of a pool may claim, and what belongs to nobody yet. */
async function claimRows({ api, cast }: Scene, of: Shares): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const claim = (client: string, amount: bigint, note: string): void => {
    if (amount !== 0n) {
      rows.push({ client: `  ${client}`, compartment: '', books: of.show(amount), chain: '', difference: '', note });
    }
  };
  let gasOfOthers = BigInt(words(of.book, 'gas'));
  for (const [id, name] of of.names) {
    for (const balance of await api.list(cast.operator, `/v1/clients/${id}/balances`)) {
      if (field(balance, 'asset') !== of.unit.asset || field(balance, 'compartment') !== of.number) continue;
      const amounts = ['available', 'held', 'quarantine', 'gas', 'feePayable'].map((part) =>
        BigInt(words(balance, part)),
      );
      gasOfOthers -= BigInt(words(balance, 'gas'));
      claim(
        name,
        amounts.reduce((sum, amount) => sum + amount, 0n),
        'claim, gas included',
      );
    }
  }
  if (of.names.size > 0) claim('the pool itself', gasOfOthers, 'gas');
  claim('nobody yet', BigInt(words(of.book, 'suspense')), 'suspense');
  return rows;
}

async function chainTotal({ api, cast, outside, chain }: Scene, compartment: number, unit: Unit): Promise<bigint> {
  let total = 0n;
  for (const wallet of await api.list(cast.operator, `/v1/compartments/${compartment}/wallets?chain=${chain}`)) {
    const address = parseAddress(words(wallet, 'address'));
    total += unit.symbol === 'ETH' ? await outside.coinOf(address) : await outside.tokenOf(address);
  }
  return total;
}

function render(rows: readonly Row[]): string[] {
  const columns = ['client', 'compartment', 'books', 'chain', 'difference', 'note'] as const;
  const widths = columns.map((name) => Math.max(...rows.map((row) => row[name].length)));
  const line = (row: Row): string =>
    columns
      .map((name, index) =>
        ['books', 'chain', 'difference'].includes(name)
          ? row[name].padStart(widths[index] ?? 0)
          : row[name].padEnd(widths[index] ?? 0),
      )
      .join('  ')
      .trimEnd();
  const [first, ...rest] = rows.map(line);
  return [first ?? '', '-'.repeat(first?.length ?? 0), ...rest];
}
