import pg from 'pg';

/**
 * Loaded before a command (`--import`): its process ends, as by kill -9, just before what it writes into certain tables for the second time
 * is there. So the first write counts, everything that was done outside of the database since then was done, and nobody hears of it.
 */
const lastWrite = 2;
/** A regular expression for the tables, as they stand in a statement. */
const tables = new RegExp(`(?:insert into|update) (?:${process.env['ENDED_AT_WRITES_OF'] ?? ''})`, 'iu');

let writes = 0;
/** Sessions in a transaction, and whether they wrote into one of the tables. */
const open = new Map<object, boolean>();
// oxlint-disable-next-line typescript/unbound-method -- it is called below with the client that it was called of
const { query } = pg.Client.prototype;

Object.defineProperty(pg.Client.prototype, 'query', {
  value(this: object, ...words: readonly unknown[]): unknown {
    const text = textOf(words[0]);
    const isCounted = tables.test(text);
    if (/^\s*begin/iu.test(text)) open.set(this, false);
    else if (isCounted && open.has(this)) open.set(this, true);
    else if (isCounted) writes += 1;
    else if (/^\s*commit/iu.test(text) && open.get(this) === true) writes += 1;
    if (/^\s*(?:commit|rollback\s*$)/iu.test(text)) open.delete(this);
    if (writes >= lastWrite) process.kill(process.pid, 'SIGKILL');
    return Reflect.apply(query, this, words);
  },
});

function textOf(asked: unknown): string {
  if (typeof asked === 'string') return asked;
  const isForm = typeof asked === 'object' && asked !== null && 'text' in asked;
  return isForm && typeof asked.text === 'string' ? asked.text : '';
}
