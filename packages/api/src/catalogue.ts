import { readFileSync } from 'node:fs';

/** What `spec/errors.md` or `spec/refusals.md` says of one code. */
export type CatalogueRow = {
  readonly code: string;
  readonly meaning: string;
  readonly why: string;
  readonly remedy: string;
};

const catalogues = ['errors.md', 'refusals.md'].map((name) => new URL(`../../../spec/${name}`, import.meta.url));

/** Reads the catalogues of faults and refusals of the repository: one table each, one row for each code. */
export function readCatalogue(): ReadonlyMap<string, CatalogueRow> {
  return parseCatalogue(catalogues.map((path) => readFileSync(path, 'utf8')).join('\n'));
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
