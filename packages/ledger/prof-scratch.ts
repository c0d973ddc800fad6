import { startEmbedded, openDatabase, migrate } from '@bulkhead/postgres';
import { ledgerMigrations, openBook, postTransfers } from './src/index.ts';
import { parseCompartment, parseAssetId } from '@bulkhead/domain';
import { randomUUID, randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, chmodSync } from 'node:fs';
const dir = mkdtempSync('/tmp/bulkhead-prof-'); chmodSync(dir, 0o711);
try {
await using s = await startEmbedded({ directory: dir, settings: { shared_preload_libraries: 'pg_stat_statements', 'pg_stat_statements.track': 'all' } });
await using admin = openDatabase({ url: s.adminUrl.replace('/postgres', '/bulkhead'), connections: 1 });
await admin.query('create extension pg_stat_statements');
await using owner = openDatabase({ ...s.access.owner, connections: 1 });
await migrate(owner, [ledgerMigrations]);
await using app = openDatabase({ ...s.access.app, connections: 1 });
const compartment = parseCompartment(10000), asset = parseAssetId('eip155:1/slip44:60');
await openBook(app, { compartment, asset });
const N = 10000; const now = new Date();
const base = () => ({ compartment, asset, code: 'bench', reference: 'x' + randomUUID(), key: randomUUID() as any });
const block = { number: 1n, hash: '0x' + '1'.repeat(64) } as any;
for (let f = 0; f < N; f += 500) await postTransfers(app, Array.from({ length: 500 }, (_, i) => [{ ...base(), type: 'post', debit: { kind: 'wallet', holder: 'w' }, credit: { kind: 'available', holder: 'client-' + (f + i) }, amount: 10n ** 30n, block } as any]), { now });
const rnd = () => { const a = randomInt(N), b = (a + 1 + randomInt(N - 1)) % N; return [{ ...base(), type: 'post', debit: { kind: 'available', holder: 'client-' + a }, credit: { kind: 'available', holder: 'client-' + b }, amount: BigInt(randomInt(1, 1000000)) * 10n ** 12n } as any]; };
for (const [label, size, times] of [['batch', 512, 40], ['single', 1, 500]] as const) {
  for (let i = 0; i < 5; i++) await postTransfers(app, Array.from({ length: size }, rnd), { now });
  await admin.query('select pg_stat_statements_reset()');
  const groups = Array.from({ length: times }, () => Array.from({ length: size }, rnd));
  const t = performance.now();
  for (const g of groups) await postTransfers(app, g, { now });
  const ms = performance.now() - t;
  console.log(label, 'us/transfer', (ms * 1000 / size / times).toFixed(1), 'ms/call', (ms / times).toFixed(2));
  for (const r of await admin.query(`select calls, round((total_exec_time*1000/calls)::numeric,1) as us_call, round((total_exec_time*1000/$1)::numeric,2) as us_transfer, toplevel, regexp_replace(left(query,110),'\\s+',' ','g') q from pg_stat_statements where dbid=(select oid from pg_database where datname='bulkhead') order by total_exec_time desc limit 14`, [size * times])) console.log(JSON.stringify(r));
}

if (process.argv[2]) {
  const q = async (t: string) => { const r = await owner.query(t); for (const x of r) console.log(Object.values(x).join(' | ')); };

  await q(`create table plain (id int primary key, v numeric, pad text) with (fillfactor=50)`);
  await q(`insert into plain select i, 1, repeat('x', 60) from generate_series(1,10000) i`);
  await q(`set enable_seqscan=off`);
  for (let i=0;i<4;i++) { const t=performance.now(); await q(`update plain p set v = v+1 from unnest(array(select (random()*9999)::int+1 from generate_series(1,1000))) u(id) where u.id=p.id`); console.log('plain', performance.now()-t); }
  await q(`create table plain2 (like ledger.account including all)`);
  await q(`insert into plain2 select * from ledger.account`);
  for (let i=0;i<4;i++) { const t=performance.now(); await q(`update plain2 p set posted = posted+1 from unnest(array(select number from ledger.account order by random() limit 1000)) u(id) where u.id=p.number`); console.log('plain2', performance.now()-t); }
  await q(`begin`);
  { const t=performance.now(); await q(`update plain2 p set posted = posted+1 from unnest(array(select number from ledger.account order by random() limit 1000)) u(id) where u.id=p.number`); console.log('plain2 in tx', performance.now()-t); }
  { const t=performance.now(); await q(`update plain2 p set posted = posted+1 from unnest(array(select number from ledger.account order by random() limit 1000)) u(id) where u.id=p.number`); console.log('plain2 in tx', performance.now()-t); }
  await q(`commit`);
  await q(`set synchronous_commit=off`);
  { const t=performance.now(); await q(`update plain2 p set posted = posted+1 from unnest(array(select number from ledger.account order by random() limit 1000)) u(id) where u.id=p.number`); console.log('plain2 async', performance.now()-t); }
}
} finally { rmSync(dir, { recursive: true, force: true }); }
