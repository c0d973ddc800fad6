import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAnvil } from '@bulkhead/chain-evm/anvil';
import { openGasChain } from './gas-chain.ts';
import type { Operation } from './gas-chain.ts';
import { measureSafe } from './vaults-safe.ts';
import { measureVault } from './vaults-own.ts';

/** What no operation of a vault may cost more than, in gas of a receipt. */
const limits: Readonly<Record<string, number>> = {
  create: 82_000,
  'create, one of ten': 65_000,
  'pay ETH': 80_000,
  'pay ERC-20': 86_000,
  'pay ten ERC-20': 220_000,
};

/**
 * Receipts of one chain: what a vault costs, with destinations, limits and exit enforced, beside a Safe 1.5.0 with the same
 * two signatures of three owners and no policy; and what both would cost at the prices of EIP-8037.
 */
export async function benchVaults(): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-vaults-'));
  try {
    await using anvil = await startAnvil({ directory, port: 0, chainNumber: 31_337 });
    const chain = await openGasChain(anvil.url);
    const own = await measureVault(chain);
    const safe = new Map((await measureSafe(chain, createRequire(import.meta.url))).map((one) => [one.name, one]));
    print(own, safe);
    return own.every(({ name, gas }) => gas <= (limits[name] ?? Infinity));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function print(own: readonly Operation[], safe: ReadonlyMap<string, Operation>): void {
  const line = (cells: readonly string[]): string =>
    `  ${(cells[0] ?? '').padEnd(34)}${cells
      .slice(1)
      .map((cell) => cell.padStart(12))
      .join('')}\n`;
  process.stdout.write(line(['gas', 'vault', 'limit', 'Safe 1.5.0', 'of Safe', 'EIP-8037', 'Safe then']));
  for (const operation of own) {
    const other = safe.get(operation.name);
    const limit = limits[operation.name];
    process.stdout.write(
      line([
        operation.name,
        String(operation.gas),
        limit === undefined ? '' : String(limit),
        other === undefined ? '-' : String(other.gas),
        other === undefined ? '-' : (operation.gas / other.gas).toFixed(2),
        String(operation.gasLater),
        other === undefined ? '-' : String(other.gasLater),
      ]),
    );
  }
}
