import { invariant } from '@bulkhead/domain';

/** A row as the driver returns it. Every column is unknown until a reader has looked at it. */
export type Row = Readonly<Record<string, unknown>>;

function column(row: Row, name: string): unknown {
  const value = row[name];
  invariant(value !== undefined, `The query returned no column "${name}".`, { column: name });
  return value;
}

function mismatch(name: string, wanted: string, value: unknown): never {
  const found = value === null ? 'null' : typeof value;
  invariant(false, `Column "${name}" should hold ${wanted}, found ${found}.`, { column: name });
}

/** A `text`, `uuid` or enum column. */
export function text(row: Row, name: string): string {
  const value = column(row, name);
  return typeof value === 'string' ? value : mismatch(name, 'text', value);
}

export function textOrNull(row: Row, name: string): string | null {
  return column(row, name) === null ? null : text(row, name);
}

/** An `integer` or `smallint` column. `bigint` and `numeric` are read by {@link bigint}, never as a float. */
export function integer(row: Row, name: string): number {
  const value = column(row, name);
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : mismatch(name, 'an integer', value);
}

export function integerOrNull(row: Row, name: string): number | null {
  return column(row, name) === null ? null : integer(row, name);
}

/** A `bigint`, `integer` or `numeric(n,0)` column. */
export function bigint(row: Row, name: string): bigint {
  const value = column(row, name);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^-?[0-9]{1,200}$/u.test(value)) return BigInt(value);
  return mismatch(name, 'a whole number', value);
}

export function bigintOrNull(row: Row, name: string): bigint | null {
  return column(row, name) === null ? null : bigint(row, name);
}

export function boolean(row: Row, name: string): boolean {
  const value = column(row, name);
  return typeof value === 'boolean' ? value : mismatch(name, 'a boolean', value);
}

/** A `timestamptz` column. The driver cuts microseconds to milliseconds. */
export function date(row: Row, name: string): Date {
  const value = column(row, name);
  return value instanceof Date ? value : mismatch(name, 'a timestamp', value);
}

export function dateOrNull(row: Row, name: string): Date | null {
  return column(row, name) === null ? null : date(row, name);
}

/** A `bytea` column. */
export function bytes(row: Row, name: string): Uint8Array {
  const value = column(row, name);
  return value instanceof Uint8Array ? value : mismatch(name, 'bytes', value);
}

export function bytesOrNull(row: Row, name: string): Uint8Array | null {
  return column(row, name) === null ? null : bytes(row, name);
}

/** A `text[]` column without nulls in it. */
export function texts(row: Row, name: string): readonly string[] {
  const value = column(row, name);
  const found = Array.isArray(value) ? value.filter((each) => typeof each === 'string') : undefined;
  return found !== undefined && Array.isArray(value) && found.length === value.length
    ? found
    : mismatch(name, 'texts', value);
}

/** A `json` or `jsonb` column, parsed and still unknown. Amounts inside are strings: JSON numbers are floats here. */
export function json(row: Row, name: string): unknown {
  return column(row, name);
}

/** The one row of a query that must return exactly one. */
export function only(rows: readonly Row[]): Row {
  const [row] = rows;
  invariant(rows.length === 1 && row !== undefined, `The query should return one row, it returned ${rows.length}.`);
  return row;
}
