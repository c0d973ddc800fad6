import { readFileSync } from 'node:fs';

/** What `spec/errors.md` says of one code. */
export type CatalogueRow = {
  readonly code: string;
  readonly meaning: string;
  readonly why: string;
  readonly remedy: string;
};

const cataloguePath = new URL('../../../spec/errors.md', import.meta.url);

/** Reads the error catalogue of the repository: one table, one row for each code. */
export function readCatalogue(): ReadonlyMap<string, CatalogueRow> {
  return parseCatalogue(readFileSync(cataloguePath, 'utf8'));
}

/** Rows of `| code | meaning | why | what to do |`; anything else in the text is prose and stays out. */
export function parseCatalogue(text: string): ReadonlyMap<string, CatalogueRow> {
  const rows = new Map<string, CatalogueRow>();
  for (const line of text.split('\n')) {
    const cells = line.split(/(?<!\\)\|/u).map((cell) => cell.trim().replaceAll('\\|', '|'));
    const [before, head, meaning, why, remedy, after, ...rest] = cells;
    const code = head?.replaceAll('`', '');
    const whole = before === '' && after === '' && rest.length === 0;
    if (!whole || code === undefined || !/^[a-z0-9-]+\/[a-z0-9-]+$/u.test(code)) continue;
    rows.set(code, { code, meaning: meaning ?? '', why: why ?? '', remedy: remedy ?? '' });
  }
  return rows;
}

/** The readable page behind the `type` of a problem. */
export function problemPage(row: CatalogueRow, status: number): string {
  return `${row.code} (HTTP ${status})\n\n${row.meaning}\n\nWhy: ${row.why}\nWhat to do: ${row.remedy}\n`;
}
