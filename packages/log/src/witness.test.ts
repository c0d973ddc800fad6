import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { invariant } from '@bulkhead/domain';
import { type Database, only, text } from '@bulkhead/postgres';
import { consistencyProof, formatWitnessRequest, openCheckpoint } from '@bulkhead/tlog';
import { newKeyPem, type NoteSigner, softwareSigner, verifyEd25519 } from './log-key.ts';
import { shownCheckpoint, storedNodes } from './log-reading.ts';
import { askWitness, signHead, type Witness } from './publishing.ts';
import { Sequencer } from './sequencer.ts';
import { logDatabase, newLogSigner, notes, views } from './testing/facts.ts';
import { WitnessDesk, type WitnessEvent, witnessServer } from './witness.ts';

const now = new Date('2026-01-02T03:04:05.678Z');
const log = newLogSigner();
const folder = mkdtempSync(join(tmpdir(), 'bulkhead-witness-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
function stateFile(): string {
  files += 1;
  return join(folder, `state-${files}`);
}

async function grow(db: Database, size: number, signer: NoteSigner = log): Promise<void> {
  const [row] = await db.query('select size from log.sequencer');
  await notes(db, size - Number(row?.['size'] ?? 0));
  const sequencer = new Sequencer(db, { views, leaseMs: 1 });
  for (let n = 0; n < 200; n += 1) {
    const step = await sequencer.step();
    if (step.status === 'sequenced' && step.size >= size) break;
    await sleep(25);
  }
  assert.equal(await signHead(db, signer, now), size);
}

async function served(server: Server): Promise<{ readonly url: string } & AsyncDisposable> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  const address = server.address();
  invariant(typeof address === 'object' && address !== null, 'a port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

type Desk = {
  readonly desk: WitnessDesk;
  readonly key: NoteSigner;
  readonly file: string;
  readonly events: WitnessEvent[];
};

async function openDesk(file = stateFile(), pem = newKeyPem(), isNew = true): Promise<Desk> {
  const key = softwareSigner(pem, 'witness.example.com', 'cosignature');
  const events: WitnessEvent[] = [];
  const order = {
    log: log.key,
    signer: key,
    stateFile: file,
    now: () => now,
    onEvent: (event: WitnessEvent) => events.push(event),
  };
  return { desk: await WitnessDesk.open(order, isNew), key, file, events };
}

const order = (size: number): { size: number; now: () => Date } => ({ size, now: () => now });

test('a witness cosigns each checkpoint that continues the last one, and the log shows it', async () => {
  await using db = await logDatabase();
  const { desk, key, events } = await openDesk();
  await using server = await served(witnessServer(desk));
  const witness: Witness = { key: key.key, url: server.url };
  for (const size of [3, 300, 700]) {
    await grow(db.app, size);
    assert.deepEqual(await askWitness(db.app, witness, order(size)), { status: 'cosigned', size });
    assert.equal(desk.size, size);
  }
  const shown = await shownCheckpoint(db.app, 1);
  const { signatures } = openCheckpoint(shown?.note ?? '', {
    log: log.key,
    witnesses: [key.key],
    verify: verifyEd25519,
  });
  assert.deepEqual(
    signatures.map(({ key: { name }, timeS }) => [name, timeS]),
    [
      [log.key.name, undefined],
      ['witness.example.com', Math.floor(now.getTime() / 1000)],
    ],
  );
  assert.deepEqual(
    events.map(({ type }) => type),
    ['cosigned', 'cosigned', 'cosigned'],
  );
  await grow(db.app, 701);
  assert.equal((await shownCheckpoint(db.app, 1))?.size, 700, 'the newest one that is witnessed');
  assert.equal((await shownCheckpoint(db.app, 0))?.size, 701);
});

test('the whole database put back is found: the witness has seen more, and the log can do nothing about it', async () => {
  await using db = await logDatabase();
  const { desk, key } = await openDesk();
  await using server = await served(witnessServer(desk));
  const witness: Witness = { key: key.key, url: server.url };
  await grow(db.app, 300);
  await askWitness(db.app, witness, order(300));
  // The copy of an hour ago: the same facts, with a log that ends at 100, and salts of its own from there on.
  await using copy = await logDatabase();
  await grow(copy.app, 100);
  assert.deepEqual(await askWitness(copy.app, witness, order(100)), { status: 'rewound', size: 100, witnessed: 300 });
  // It grows beyond what was witnessed: another tree, whatever the proof.
  await grow(copy.app, 400);
  const forked = await askWitness(copy.app, witness, order(400));
  assert.ok(forked.status === 'refused' && forked.reason.startsWith('422'), JSON.stringify(forked));
  assert.equal(desk.size, 300);
  assert.equal((await shownCheckpoint(copy.app, 0))?.witnesses, 0);
});

async function requestOf(db: Database, oldSize: number, size: number): Promise<string> {
  const row = only(await db.query('select note from log.checkpoint where size = $1', [size]));
  const proof = await consistencyProof(storedNodes(db, size), oldSize, size);
  return formatWitnessRequest({ oldSize, proof, checkpoint: text(row, 'note') });
}

test('a witness refuses in the words of the specification', async () => {
  await using db = await logDatabase();
  const { desk, events } = await openDesk();
  await grow(db.app, 50);
  await grow(db.app, 300);
  const first = await requestOf(db.app, 0, 50);
  const statuses = async (bodies: readonly string[]): Promise<readonly number[]> => {
    const found: number[] = [];
    for (const body of bodies) found.push((await desk.add(body)).status);
    return found;
  };
  assert.deepEqual(
    await statuses(['', 'old 0\n', 'old 00\n\nx', first.replace('old 0', 'old 5000')]),
    [400, 400, 400, 400],
  );
  assert.deepEqual(
    await statuses([first.replace('\n50\n', '\n51\n'), first.replaceAll(log.key.name, 'other.example.com')]),
    [403, 403],
  );
  const proofless = first.replace('old 0\n', `old 0\n${'A'.repeat(43)}=\n`);
  assert.deepEqual(await statuses([proofless]), [422], 'a proof from nothing');
  assert.equal(desk.size, 0);
  assert.deepEqual(await statuses([first]), [200]);
  const conflict = await desk.add(first);
  assert.deepEqual([conflict.status, conflict.body, conflict.type], [409, '50\n', 'text/x.tlog.size']);
  const second = await requestOf(db.app, 50, 300);
  const [, ...lines] = second.split('\n');
  assert.deepEqual(await statuses([['old 50', ...lines.slice(1)].join('\n')]), [422], 'a hash too few');
  assert.deepEqual(await statuses([second, await requestOf(db.app, 300, 300)]), [200, 200]);
  assert.equal(desk.size, 300);
  assert.ok(events.filter(({ type }) => type === 'refused').length >= 7);
});

test('a checkpoint that another key signed is refused, and one that the log signed twice differently is a fork', async () => {
  await using db = await logDatabase();
  await using other = await logDatabase();
  const { desk } = await openDesk();
  await grow(db.app, 20);
  await grow(other.app, 20);
  assert.equal((await desk.add(await requestOf(db.app, 0, 20))).status, 200);
  assert.equal((await desk.add(await requestOf(other.app, 20, 20))).status, 422, 'two trees of one size');
  await using rotated = await logDatabase();
  await grow(rotated.app, 30, newLogSigner());
  assert.equal((await desk.add(await requestOf(rotated.app, 20, 30))).status, 403);
});

test('a witness remembers over a restart, and does not begin anew by itself', async () => {
  await using db = await logDatabase();
  const pem = newKeyPem();
  const { desk, file } = await openDesk(stateFile(), pem);
  await grow(db.app, 20);
  await desk.add(await requestOf(db.app, 0, 20));
  const again = await openDesk(file, pem, false);
  assert.equal(again.desk.size, 20);
  await assert.rejects(openDesk(stateFile(), pem, false), { code: 'platform/damaged-state' });
  const content = readFileSync(file, 'utf8');
  for (const damaged of [content.replace('20', '10'), '', content.slice(0, content.lastIndexOf('\u2014'))]) {
    writeFileSync(file, damaged);
    await assert.rejects(openDesk(file, pem, true), { code: 'platform/damaged-state' }, damaged);
  }
});

test('what cannot be kept is not signed', async () => {
  await using db = await logDatabase();
  const { desk } = await openDesk(join(folder, 'missing-folder', 'state'));
  await grow(db.app, 20);
  await assert.rejects(desk.add(await requestOf(db.app, 0, 20)));
  assert.equal(desk.size, 0);
  await using server = await served(witnessServer(desk));
  const answer = await fetch(`${server.url}/add-checkpoint`, { method: 'POST', body: await requestOf(db.app, 0, 20) });
  assert.deepEqual([answer.status, (await answer.text()).includes('\u2014')], [500, false]);
  assert.equal((await fetch(`${server.url}/x`)).status, 404);
  const long = await fetch(`${server.url}/add-checkpoint`, { method: 'POST', body: 'x'.repeat(200_000) });
  assert.equal(long.status, 413);
});

test('a witness that lies, or that nobody reaches, harms nothing', async () => {
  await using db = await logDatabase();
  await grow(db.app, 20);
  const key = softwareSigner(newKeyPem(), 'witness.example.com', 'cosignature').key;
  const stranger = softwareSigner(newKeyPem(), 'witness.example.com', 'cosignature');
  await using liar = await served(
    createServer((_, response) => {
      stranger.sign(new Uint8Array()).then(
        () => response.end('\u2014 witness.example.com AAAAAAAAAAA=\n'),
        () => response.end(),
      );
    }),
  );
  assert.equal((await askWitness(db.app, { key, url: liar.url }, order(20))).status, 'refused');
  assert.equal((await askWitness(db.app, { key, url: 'http://127.0.0.1:1' }, order(20))).status, 'unreachable');
  await using endless = await served(
    createServer((_, response) => {
      const more = (): void => {
        while (response.write('x'.repeat(10_000)));
      };
      response.on('drain', more);
      more();
    }),
  );
  // Left where it is too long, and not only when its time is over.
  const left = await askWitness(db.app, { key, url: endless.url }, order(20));
  assert.deepEqual(left, { status: 'refused', size: 20, reason: 'It answered without a signature of its own.' });
  assert.equal((await db.app.query('select from log.cosignature')).length, 0);
});
