import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, only, type Queries, text, type Transaction } from '@bulkhead/postgres';
import {
  emptyFrontier,
  encodeLeaf,
  extend,
  leafHash,
  openReceipt,
  parseLeaf,
  rootOf,
  type Tile,
  tilePath,
  tilesBetween,
} from '@bulkhead/tlog';
import { type Anchor, anchorDigest } from './anchor.ts';
import { eraseOpenings, lengthenRetention } from './erasure.ts';
import { verifyEd25519 } from './log-key.ts';
import { readTile, shownCheckpoint } from './log-reading.ts';
import { signHead } from './publishing.ts';
import { receiptAt, receiptsOf } from './receipts.ts';
import { Sequencer } from './sequencer.ts';
import { type LogDatabase, logDatabase, newLogSigner, note, notes, views } from './testing/facts.ts';
import { type LogReport, type LogVerification, verifyLog } from './verification.ts';

const now = new Date('2026-01-02T03:04:05.678Z');
const signer = newLogSigner();
const log = signer.key;

async function sequence(db: Database, size: number): Promise<void> {
  const sequencer = new Sequencer(db, { views, leaseMs: 1 });
  for (let n = 0; n < 200; n += 1) {
    const step = await sequencer.step();
    if (step.status === 'sequenced' && step.size >= size) return;
    await sleep(25);
  }
  assert.fail(`The log did not reach ${size} leaves.`);
}

/** A log of 700 leaves with checkpoints at 300 and 700. */
async function grownLog(): Promise<LogDatabase> {
  const db = await logDatabase();
  await notes(db.app, 300);
  await sequence(db.app, 300);
  await signHead(db.app, signer, now);
  await notes(db.app, 400);
  await sequence(db.app, 700);
  await signHead(db.app, signer, now);
  return db;
}

class Undone extends Error {}

/** What a superuser could do to a log, as the verification sees it; nothing of it stays. */
async function afterwards(
  db: LogDatabase,
  statements: readonly string[],
  order: Partial<LogVerification> = {},
): Promise<LogReport> {
  let report: LogReport | undefined;
  const undone = db.admin.transaction(async (tx) => {
    await tx.query(`set local session_replication_role = replica`);
    for (const statement of statements) await tx.query(statement);
    report = await verifyLog(tx, { log, views, ...order });
    throw new Undone();
  });
  await assert.rejects(undone, Undone);
  assert.ok(report !== undefined);
  return report;
}

/** What a superuser does who takes the guards away, and puts them back. */
async function tamper(db: LogDatabase, ...statements: readonly string[]): Promise<void> {
  await db.admin.transaction(async (tx) => {
    await tx.query(`set local session_replication_role = replica`);
    for (const statement of statements) await tx.query(statement);
  });
}

async function tilesOf(db: Queries, size: number): Promise<ReadonlyMap<string, Uint8Array>> {
  const tiles = new Map<string, Uint8Array>();
  for (const tile of tilesBetween(0, size)) {
    tiles.set(tilePath(tile), (await readTile(db, tile, size)) ?? new Uint8Array());
  }
  return tiles;
}

const from =
  (tiles: ReadonlyMap<string, Uint8Array>) =>
  (tile: Tile): Promise<Uint8Array> =>
    Promise.resolve(tiles.get(tilePath(tile)) ?? new Uint8Array());

const firstOf = ({ findings }: LogReport): string => `${findings[0]?.index ?? '-'}: ${findings[0]?.what ?? 'nothing'}`;

test('a sound log is proven, with its checkpoints and with the tiles that others read', async () => {
  await using db = await grownLog();
  const tiles = await tilesOf(db.app, 700);
  const report = await verifyLog(db.app, { log, views, readTile: from(tiles) });
  const none = { erased: 0, anchored: 0, anchoredSize: 0, waiting: false, findings: [], unnamed: 0 };
  assert.deepEqual(report, { leaves: 700, checkpoints: 2, ...none });
  const empty = await logDatabase();
  await using _ = empty;
  assert.deepEqual((await verifyLog(empty.app, { log, views })).findings, []);
});

/** Each is one thing that somebody with all rights can do, and how the finding begins. */
const acts: readonly (readonly [string, readonly string[], RegExp])[] = [
  [
    'edits a fact',
    [`update diary.note set content = '{"said":"other"}' where position = 42`],
    /^41: It does not commit/u,
  ],
  ['renames a fact', [`update diary.note set id = 'other' where position = 42`], /^41: It says approval n42/u],
  [
    'gives a fact an id that no leaf has',
    [`update diary.note set id = 'ä ö' where position = 42`],
    /^41: It says approval n42/u,
  ],
  ['deletes a fact', [`delete from diary.note where position = 42`], /^41: Its fact, at place 42, is gone/u],
  [
    'exchanges two facts',
    [
      `update diary.note set position = -1 where position = 42`,
      `update diary.note set position = 42 where position = 43`,
      `update diary.note set position = 43 where position = -1`,
    ],
    /^41: It says/u,
  ],
  [
    'exchanges two leaves',
    [
      `update log.leaf set index = 9999 where index = 41`,
      `update log.leaf set index = 41 where index = 42`,
      `update log.leaf set index = 42 where index = 9999`,
      `update log.opening set index = 9999 where index = 41`,
      `update log.opening set index = 41 where index = 42`,
      `update log.opening set index = 42 where index = 9999`,
    ],
    /^42: It stands behind a leaf of a later fact/u,
  ],
  [
    'edits a leaf',
    [`update log.leaf set entry = set_byte(entry, 30, 7) where index = 41`],
    /^41: It is not what its stored hash/u,
  ],
  ['deletes a leaf', [`delete from log.leaf where index = 41`], /^41: The leaf is missing/u],
  ['changes a salt', [`update log.opening set salt = sha256('') where index = 41`], /^41: It does not commit/u],
  ['destroys a salt', [`delete from log.opening where index = 41`], /^41: Its opening is gone, and no erasure/u],
  ['changes a subtree', [`update log.node set hash = sha256('') where index = 1`], /^-: The stored hash of subtree 1/u],
  ['deletes a subtree', [`delete from log.node where index = 1`], /^-: The stored hash of subtree 1/u],
  [
    'changes a root',
    [`update log.checkpoint set root = sha256('') where size = 300`],
    /^-: The row of the checkpoint of 300/u,
  ],
  [
    'changes a note',
    [`update log.checkpoint set note = replace(note, '300', '301') where size = 300`],
    /^-: In the checkpoint of 300/u,
  ],
  [
    'adds a fact in between',
    [`delete from diary.note where position = 42`, `insert into diary.note values (42, 'n42', '{"said":"new"}')`],
    /^41: It does not commit/u,
  ],
  [
    'adds a fact before all others',
    [
      `update diary.note set position = 1001 where position = 700`,
      `delete from log.leaf where index = 699`,
      `update log.sequencer set size = 699`,
    ],
    /^-: The first 699 leaves do not have the root that the state of the sequencer/u,
  ],
];

test('whatever somebody with all rights does to a fact, a leaf or a hash is found, and the first leaf named', async (t) => {
  await using db = await grownLog();
  for (const [act, statements, found] of acts) {
    await t.test(act, async () => {
      assert.match(firstOf(await afterwards(db, statements)), found);
    });
  }
  assert.deepEqual((await verifyLog(db.app, { log, views })).findings, [], 'each act was undone');
});

test('a fact that was slipped in behind leaves is found', async () => {
  await using db = await logDatabase();
  await note(db.app, 'a');
  await db.app.query('select ledger.next_position()');
  await note(db.app, 'b');
  await sequence(db.app, 2);
  await tamper(db, `insert into diary.note values (2, 'late', '{"said":"late"}')`);
  const report = await verifyLog(db.app, { log, views });
  assert.match(firstOf(report), /^-: The fact at place 2 has no leaf/u);
});

/** Somebody rewrites a fact, its leaf, every hash and the state: all that is not signed. */
async function rewriteWhole(db: LogDatabase): Promise<void> {
  await db.admin.transaction(async (tx: Transaction) => {
    await tx.query(`set local session_replication_role = replica`);
    await tx.query(`update diary.note set id = 'forged' where position = 501`);
    const row = only(await tx.query('select entry from log.leaf where index = 500'));
    const entry = row['entry'];
    assert.ok(entry instanceof Uint8Array);
    const forged = encodeLeaf({ ...parseLeaf(entry), id: 'forged' });
    await tx.query('update log.leaf set entry = $1, hash = $2 where index = 500', [forged, leafHash(forged)]);
    const leaves = await tx.query('select hash from log.leaf order by index');
    const hashes = leaves.map((leaf) => {
      const hash = leaf['hash'];
      assert.ok(hash instanceof Uint8Array);
      return hash;
    });
    for (const [index, start] of [0, 256].entries()) {
      const hash = rootOf(extend(emptyFrontier, hashes.slice(start, start + 256)));
      await tx.query('update log.node set hash = $1 where level = 1 and index = $2', [hash, index]);
    }
    const whole = extend(emptyFrontier, hashes);
    await tx.query('update log.sequencer set root = $1, peaks = $2', [rootOf(whole), Buffer.concat(whole.peaks)]);
  });
}

test('a history that was rewritten whole does not have the roots that were signed, and the tiles name the leaf', async () => {
  await using db = await grownLog();
  const [before, note700] = [await tilesOf(db.app, 700), await shownCheckpoint(db.app, 0)];
  await rewriteWhole(db);
  const report = await verifyLog(db.app, { log, views });
  assert.deepEqual(
    report.findings.map(({ what }) => what),
    [
      'The first 700 leaves do not have the root that the checkpoint of 700 leaves says. Up to leaf 299 all is as it was signed.',
    ],
  );
  const named = await verifyLog(db.app, { log, views, readTile: from(before) });
  assert.equal(named.findings[0]?.index, 500);
  // Without the checkpoint that contradicts, only who has it from elsewhere can tell.
  await tamper(db, 'delete from log.checkpoint where size = 700');
  assert.deepEqual((await verifyLog(db.app, { log, views })).findings, []);
  const elsewhere = await verifyLog(db.app, { log, views, checkpoints: [note700?.note ?? ''] });
  assert.match(firstOf(elsewhere), /^-: The first 700 leaves do not have the root .* from elsewhere/u);
  // On a chain there are 32 bytes of it, and of what was before.
  const anchors = [
    await anchorOf(db.app, 300, 'block 7'),
    { digest: anchorDigest(note700?.note ?? ''), where: 'block 9' },
  ];
  const anchored = await verifyLog(db.app, { log, views, anchors });
  assert.deepEqual([anchored.anchored, anchored.anchoredSize, anchored.unnamed], [1, 300, 0]);
  assert.match(
    firstOf(anchored),
    /^300: The checkpoint that was anchored in block 9 is none of this log of 700 leaves/u,
  );
});

async function anchorOf(db: Queries, size: number, where: string): Promise<Anchor> {
  const row = only(await db.query('select note from log.checkpoint where size = $1', [size]));
  return { digest: anchorDigest(text(row, 'note')), where };
}

test('anchors on a chain are held against the log, with and without the checkpoint that they are of', async () => {
  await using db = await grownLog();
  const [first, second] = [await anchorOf(db.app, 300, 'block 7'), await anchorOf(db.app, 700, 'block 9')];
  const sound = await verifyLog(db.app, { log, views, anchors: [first, second, second] });
  assert.deepEqual([sound.findings, sound.anchored, sound.anchoredSize], [[], 2, 700]);
  const forgotten = ['delete from log.checkpoint where size = 300'];
  for (const anchors of [[first], [{ ...first, size: 300 }]]) {
    const report = await afterwards(db, forgotten, { anchors });
    assert.deepEqual(
      [report.findings, report.anchoredSize],
      [[], 300],
      'the tree had this root, whoever threw the note away',
    );
  }
  // The database as it was after 300 leaves, and everything later as if it had never been.
  const rewound = [
    'delete from log.checkpoint where size = 700',
    'delete from log.leaf where index >= 300',
    'delete from log.opening where index >= 300',
    'delete from log.node where index >= 1',
    'delete from diary.note where position > 300',
    `update log.sequencer set size = 300, position = 300, root = (select root from log.checkpoint where size = 300)`,
  ];
  assert.deepEqual((await afterwards(db, rewound)).findings, [], 'by itself it looks whole');
  const found = await afterwards(db, rewound, { anchors: [first, second] });
  assert.match(
    firstOf(found),
    /^300: The checkpoint that was anchored in block 9 is none of this log of 300 leaves: it was put back/u,
  );
  const stranger = { digest: 'ab'.repeat(32), where: 'block 3' };
  const other = await verifyLog(db.app, { log, views, anchors: [stranger, second] });
  assert.match(firstOf(other), /^0: .* block 3/u);
});

test('the receipt of a fact waits for its leaf, for a signature and for witnesses, and says for which', async () => {
  await using db = await logDatabase();
  await note(db.app, 'a');
  const state = async (witnessesMin = 0): Promise<string> =>
    (await receiptAt(db.app, 1n, { views, witnessesMin })).status;
  assert.equal(await state(), 'waiting');
  assert.equal((await receiptAt(db.app, 2n, { views, witnessesMin: 0 })).status, 'none');
  await sequence(db.app, 1);
  assert.equal(await state(), 'unsigned');
  await signHead(db.app, signer, now);
  assert.deepEqual([await state(), await state(1)], ['proven', 'unsigned']);
  await db.app.query(`insert into log.cosignature values (1, 'w', $1, now())`, ['\u2014 w AAAAAAAAAAA=\n']);
  assert.equal(await state(1), 'proven');
});

test('a database that was put back is found by a checkpoint from elsewhere', async () => {
  await using db = await grownLog();
  const later = await shownCheckpoint(db.app, 0);
  await using old = await logDatabase();
  await notes(old.app, 300);
  await sequence(old.app, 300);
  const report = await verifyLog(old.app, { log, views, checkpoints: [later?.note ?? ''] });
  assert.match(
    firstOf(report),
    /^-: The log has 300 leaves, and the checkpoint of 700 leaves from elsewhere .* rewound/u,
  );
});

test('a tile or a bundle that others are shown and the database does not have is found', async () => {
  await using db = await grownLog();
  const tiles = new Map(await tilesOf(db.app, 700));
  for (const [path, at] of [
    ['tile/0/001', 256],
    ['tile/entries/001', 256],
    ['tile/0/002.p/188', 512],
  ] as const) {
    const sound = tiles.get(path) ?? new Uint8Array();
    const changed = Uint8Array.from(sound);
    changed[40] = (changed[40] ?? 0) ^ 1;
    tiles.set(path, changed);
    const index = (await verifyLog(db.app, { log, views, readTile: from(tiles) })).findings[0]?.index;
    assert.ok(index !== undefined && index >= at && index < at + 2, `${path} names ${index}`);
    tiles.set(path, sound);
  }
});

test('receipts prove their facts to who trusts the key, and not more', async () => {
  await using db = await grownLog();
  const receipts = await receiptsOf(db.app, { views, positions: [42n, 650n, 9_999n], witnessesMin: 0 });
  assert.deepEqual(
    receipts.map(({ index }) => index),
    [649, 41],
  );
  const trust = { log, witnesses: [], witnessesMin: 0, verify: verifyEd25519 };
  for (const receipt of receipts) {
    const { leaf, content } = openReceipt(receipt, trust);
    assert.equal(content, `{"said": "${leaf.id}"}`);
  }
});

const old = `'\\x0000000000000000'::bytea`;
/** A leaf as it was 1970, so that retention is over: the tree over it is wrong, which is not what this is about. */
async function age(db: LogDatabase, index: number): Promise<void> {
  await tamper(
    db,
    `update log.leaf set entry = overlay(entry placing ${old} from length(entry) - 39 for 8) where index = ${index}`,
  );
}

const erasing = {
  eraseContents: async (tx: Transaction, positions: readonly bigint[]) => {
    await tx.query('update diary.note set erased = true where position = any ($1::bigint[])', [positions]);
  },
  record: async (tx: Transaction, leaves: readonly number[]) => {
    await tx.query(`insert into diary.note (id, content) values ('erased', $1)`, [
      JSON.stringify({ event: 'erased', data: { leaves } }),
    ]);
  },
};

test('erasure is refused under retention, destroys salt and content after it, and is accounted for', async () => {
  await using db = await logDatabase();
  await note(db.app, 'a', 'b', 'c');
  await sequence(db.app, 3);
  await assert.rejects(eraseOpenings(db.owner, { leaves: [1], ...erasing }), { code: 'log/retained' });
  await age(db, 1);
  await db.owner.transaction((tx) => lengthenRetention(tx, now, { period: '99 years', reason: 'test' }));
  await assert.rejects(
    eraseOpenings(db.owner, { leaves: [1], ...erasing }),
    { code: 'log/retained' },
    'the longest counts',
  );
  await tamper(db, `delete from log.retention where period > interval '90 years'`);
  await assert.rejects(eraseOpenings(db.app, { leaves: [1], ...erasing }), /permission denied/u);
  await assert.rejects(eraseOpenings(db.owner, { leaves: [1, 2], ...erasing }), { code: 'log/retained' });
  assert.equal((await db.app.query('select from log.opening')).length, 3, 'nothing was erased');
  await eraseOpenings(db.owner, { leaves: [1], ...erasing });
  await assert.rejects(
    eraseOpenings(db.owner, { leaves: [1], ...erasing }),
    { code: 'log/retained' },
    'it has no opening any more',
  );
  const rows = await db.app.query('select content from diary.facts where id = $1', ['b']);
  assert.equal(rows[0]?.['content'], null);
  await sequence(db.app, 4);
  const report = await verifyLog(db.app, { log, views });
  assert.equal(report.erased, 1);
  await age(db, 3);
  const accounting = eraseOpenings(db.owner, { leaves: [3], ...erasing });
  await assert.rejects(accounting, { code: 'log/retained', message: /accounts for others/u });
  // Only the aged leaf itself is objected to, for its hash and its time; that its opening is gone is accounted for.
  assert.deepEqual(
    new Set(report.findings.map(({ what }) => what.slice(0, 20))),
    new Set(['It is not what its s', 'It says approval b, ', 'The first 4 leaves d']),
  );
});
