import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CustodyError } from '@bulkhead/domain';
import { breakerFailuresMax, breakerRestMs, createBreaker } from './breaker.ts';
import { buildLunaShim } from '../luna/testing/luna-shim.ts';
import { ckk, ckm, curves } from './cryptoki.ts';
import { createFrame, writeMechanism } from './frame.ts';
import { makeKeyPair } from './key-template.ts';
import { acquireModule } from './module.ts';
import { createSlot } from './slot.ts';
import { temporaryToken, type TemporaryToken } from './testing/softhsm.ts';
import { openToken, type Token } from './token.ts';

const digest = new Uint8Array(32).fill(7);
const code = (expected: string) => (error: unknown) => error instanceof CustodyError && error.code === expected;

async function opened(context: TestContext, label: string): Promise<{ hsm: TemporaryToken; token: Token }> {
  const hsm = temporaryToken({ label });
  const token = await openToken({ ...hsm.options(), sessionsMax: 2 });
  context.after(async () => {
    await token[Symbol.asyncDispose]();
    hsm[Symbol.dispose]();
  });
  return { hsm, token };
}

/** With a connection of its own, which has found nothing yet. */
async function second<T>(hsm: TemporaryToken, work: (token: Token) => Promise<T>): Promise<T> {
  await using token = await openToken(hsm.options());
  return await work(token);
}

/** The library under the token, for what another part of the process could do to its sessions. */
function beneath(hsm: TemporaryToken) {
  const { cryptoki } = acquireModule(hsm.library, hsm.environment);
  return { cryptoki, frame: createFrame() };
}

test('a wrong PIN is tried once, and never again by this process', async (context) => {
  const { hsm } = await opened(context, 'wrong-pin');
  let given = 0;
  const pins: Uint8Array[] = [];
  const wrong = {
    ...hsm.options(),
    // Another module than the one that is logged in already.
    library: join(hsm.folder, 'second.so'),
    pin: () => {
      given += 1;
      const pin = Buffer.alloc(6, '0');
      pins.push(pin);
      return pin;
    },
  };
  copyFileSync(hsm.library, wrong.library);
  await assert.rejects(openToken(wrong), code('hsm/pin-refused'));
  await assert.rejects(openToken(wrong), (error) => {
    assert.ok(error instanceof CustodyError && error.code === 'hsm/pin-refused');
    return error.message.includes('did not ask again') && !error.message.includes('000000');
  });
  assert.equal(given, 2);
  assert.ok(pins.every((pin) => pin.every((byte) => byte === 0)));
  // The right one is another PIN, and is tried.
  const right = await openToken({ ...wrong, pin: hsm.options().pin });
  await right[Symbol.asyncDispose]();
});

test('a session with an active operation is closed and replaced', async (context) => {
  const { hsm, token } = await opened(context, 'operation-active');
  await token.generateSecp256k1('key');
  const { cryptoki, frame } = beneath(hsm);
  const handle = await privateKeyHandle(token, hsm);
  const mechanism = writeMechanism(frame, 0x1041);
  let begun = 0;
  // The pool has the low numbers: begin a signature in all of them, and finish none.
  for (let session = 1n; session <= 8n; session += 1n) {
    if (cryptoki.call('C_SignInit', [session, mechanism, handle]) === 0) begun += 1;
  }
  assert.ok(begun >= 2, `${begun} sessions were taken`);
  assert.equal((await token.signEcdsa('key', digest)).length, 64);
});

test('after a buffer that was too small the operation that stays active holds up nobody', async (context) => {
  const { hsm, token } = await opened(context, 'small-buffer');
  await token.generateSecp256k1('key');
  const { cryptoki, frame } = beneath(hsm);
  const handle = await privateKeyHandle(token, hsm);
  const mechanism = writeMechanism(frame, 0x1041);
  const message = frame.place(digest);
  const out = frame.reserve(64);
  const length = frame.reserve(8);
  let small = 0;
  for (let session = 1n; session <= 8n; session += 1n) {
    if (cryptoki.call('C_SignInit', [session, mechanism, handle]) !== 0) continue;
    length.bytes.writeBigUInt64LE(8n);
    const result = cryptoki.call('C_Sign', [session, message.address, 32n, out.address, length.address]);
    if (result === 0x150) small += 1;
  }
  assert.ok(small >= 2, `${small} sessions said so`);
  assert.equal((await token.signEcdsa('key', digest)).length, 64);
});

test('after a logout elsewhere in the process the token is logged in again, and its handles found again', async (context) => {
  const { hsm, token } = await opened(context, 'logout');
  await token.generateSecp256k1('key');
  await token.generateSealingKey('seal');
  await token.signEcdsa('key', digest);
  const { cryptoki } = beneath(hsm);
  assert.equal(cryptoki.call('C_Logout', [1n]), 0);
  assert.equal((await token.signEcdsa('key', digest)).length, 64);
  assert.equal(cryptoki.call('C_Logout', [await anySession(hsm)]), 0);
  const aad = Buffer.from('bound');
  const sealed = await token.seal('seal', { plaintext: digest, aad });
  assert.equal(sealed.ciphertext.length, 48);
});

test('a token that is away is unavailable, and is used again by itself when it is back', async (context) => {
  const { hsm, token } = await opened(context, 'vanished');
  await token.generateSecp256k1('key');
  await token.generateSealingKey('seal');
  const aad = Buffer.from('bound');
  const sealed = await token.seal('seal', { plaintext: digest, aad });
  await token.writeData('data', Buffer.from('written'));
  assert.deepEqual(await token.readData('data'), Buffer.from('written'));
  hsm.vanish();
  const into = new Uint8Array(32).fill(1);
  await assert.rejects(token.unseal('seal', { ...sealed, aad, into }), code('hsm/unavailable'));
  assert.deepEqual(into, new Uint8Array(32));
  // "There is none" would be the wrong answer.
  await assert.rejects(token.readData('data'), code('hsm/unavailable'));
  await assert.rejects(token.signEcdsa('key', digest), code('hsm/unavailable'));
  // Not asked any more for a while: the answer comes at once.
  await assert.rejects(token.signEcdsa('key', digest), /left alone/u);
  assert.equal((await token.health()).healthy, false);
  hsm.restore();
  await sleep(breakerRestMs + 50);
  assert.equal((await token.signEcdsa('key', digest)).length, 64);
  assert.deepEqual(await token.readData('data'), Buffer.from('written'));
  await token.unseal('seal', { ...sealed, aad, into });
  assert.deepEqual(into, digest);
  assert.equal((await token.health()).healthy, true);
});

test('"there is none" is not believed of a token that has just gone away', async (context) => {
  const { hsm, token } = await opened(context, 'gone');
  await token.generateSecp256k1('key');
  assert.equal(await token.readData('never written'), undefined);
  hsm.vanish();
  await assert.rejects(token.readData('never written'), code('hsm/unavailable'));
  hsm.restore();
  assert.equal(await token.readData('never written'), undefined);
});

test('many at once find the way back together', async (context) => {
  const { hsm, token } = await opened(context, 'together');
  await token.generateSecp256k1('key');
  await token.signEcdsa('key', digest);
  hsm.vanish();
  await assert.rejects(token.signEcdsa('key', digest), code('hsm/unavailable'));
  hsm.restore();
  const signatures = await Promise.all(Array.from({ length: 40 }, () => token.signEcdsa('key', digest)));
  assert.ok(signatures.every((signature) => signature.length === 64));
});

test('what another process makes and changes is seen', async (context) => {
  const { hsm, token } = await opened(context, 'other-process');
  await assert.rejects(token.signEcdsa('key', digest), code('hsm/key-missing'));
  assert.equal(await token.readData('data'), undefined);
  const library = join(hsm.folder, 'other.so');
  copyFileSync(hsm.library, library);
  const other = await openToken({ ...hsm.options(), library });
  const publicKey = await other.generateSecp256k1('key');
  assert.deepEqual(await token.publicKey('key'), publicKey);
  assert.equal((await token.signEcdsa('key', digest)).length, 64);
  await other.writeData('data', Buffer.from('1'));
  assert.deepEqual(await token.readData('data'), Buffer.from('1'));
  await other.writeData('data', Buffer.from('2'));
  assert.deepEqual(await token.readData('data'), Buffer.from('2'));
  // And what it removes is gone, not "unavailable": the token is there.
  await other.destroy('key');
  await assert.rejects(token.signEcdsa('key', digest), code('hsm/key-missing'));
  await other[Symbol.asyncDispose]();
});

test('two objects of one label are not chosen between', async (context) => {
  const { hsm, token } = await opened(context, 'ambiguous');
  await token.generateSecp256k1('key');
  await assert.rejects(token.generateEd25519('key'), code('hsm/key-exists'));
  // The token itself allows it.
  const slot = createSlot({ ...hsm.options(), environment: hsm.environment, sessionsMax: 1, timeoutMs: 5_000 });
  const kind = { mechanism: ckm.EC_KEY_PAIR_GEN, keyType: ckk.EC, curve: curves.secp256k1 };
  await slot.run((desk) => makeKeyPair(desk, 'key', kind));
  await slot.close();
  await assert.rejects(
    second(hsm, (fresh) => fresh.publicKey('key')),
    code('hsm/refused'),
  );
  await assert.rejects(
    second(hsm, (fresh) => fresh.signEcdsa('key', digest)),
    code('hsm/refused'),
  );
});

test('a module with few sessions is used with those, and one with none says so', async (context) => {
  const { hsm, token } = await opened(context, 'few-sessions');
  await token.generateSecp256k1('key');
  const few = { ...hsm.options(), library: buildLunaShim(hsm, { sessionsMax: 3 }) };
  const limited = await openToken({ ...few, sessionsMax: 8 });
  const signatures = await Promise.all(Array.from({ length: 32 }, () => limited.signEcdsa('key', digest)));
  assert.equal(signatures.length, 32);
  assert.equal((await limited.describe()).sessionsOpen, 2);
  await limited[Symbol.asyncDispose]();
  const one = { ...hsm.options(), library: buildLunaShim(hsm, { sessionsMax: 1 }) };
  await assert.rejects(openToken(one), code('hsm/session-limit'));
});

test('a module that does not come back is unavailable after the limit of time', async (context) => {
  const { hsm, token } = await opened(context, 'hangs');
  await token.generateSecp256k1('key');
  const hanging = { ...hsm.options(), library: buildLunaShim(hsm, { hangSeconds: 1 }), timeoutMs: 200 };
  const late = await openToken(hanging);
  const startedAt = performance.now();
  await assert.rejects(late.random(32), code('hsm/unavailable'));
  assert.ok(performance.now() - startedAt < 800);
  // The session of the lost call is not used again; another one is.
  assert.equal((await late.signEcdsa('key', digest)).length, 64);
  // Closing waits for the lost call: finalizing beneath it would end the process.
  await late[Symbol.asyncDispose]();
  assert.ok(performance.now() - startedAt > 900);
});

test('a library that is not there names its path and what to install', async () => {
  const library = '/nowhere/softhsm/libsofthsm2.so';
  const pin = (): never => assert.fail('A PIN was asked for before there was a library.');
  await assert.rejects(openToken({ library, label: 'x', pin }), (error) => {
    assert.ok(error instanceof CustodyError && error.code === 'hsm/unavailable');
    return error.message.includes(library) && error.message.includes('apt-get install softhsm2');
  });
  await assert.rejects(openToken({ library: '/etc/hostname', label: 'x', pin }), code('hsm/unavailable'));
});

test('a label that no token has is unavailable, and the library is given back', async (context) => {
  const { hsm } = await opened(context, 'labelled');
  await assert.rejects(openToken({ ...hsm.options(), label: 'another' }), (error) => {
    assert.ok(error instanceof CustodyError && error.code === 'hsm/unavailable');
    return error.message.includes('"another"');
  });
});

test('one library is one module, and cannot read two environments', async (context) => {
  const { hsm, token } = await opened(context, 'shared');
  await token.generateSecp256k1('key');
  const second = await openToken(hsm.options());
  assert.equal((await second.signEcdsa('key', digest)).length, 64);
  await second[Symbol.asyncDispose]();
  assert.equal((await token.signEcdsa('key', digest)).length, 64);
  const environment = { SOFTHSM2_CONF: '/etc/softhsm/softhsm2.conf' };
  await assert.rejects(openToken({ ...hsm.options(), environment }), code('config/invalid'));
});

test('a breaker opens after failures in a row, and lets one through after a rest', () => {
  let now = 0;
  const breaker = createBreaker(() => now);
  for (let count = 1; count < breakerFailuresMax; count += 1) breaker.failed();
  assert.equal(breaker.closed(), true);
  breaker.succeeded();
  for (let count = 0; count < breakerFailuresMax; count += 1) breaker.failed();
  assert.equal(breaker.closed(), false);
  now += breakerRestMs;
  assert.equal(breaker.closed(), true);
  assert.equal(breaker.closed(), false);
  breaker.succeeded();
  assert.equal(breaker.closed(), true);
});

/** Handles of token objects hold in every session of the process. */
async function privateKeyHandle(token: Token, hsm: TemporaryToken): Promise<bigint> {
  await token.signEcdsa('key', digest);
  const { cryptoki, frame } = beneath(hsm);
  const template = frame.reserve(24);
  const kind = frame.reserve(8);
  kind.bytes.writeBigUInt64LE(3n);
  template.bytes.writeBigUInt64LE(kind.address, 8);
  template.bytes.writeBigUInt64LE(8n, 16);
  const found = frame.reserve(8);
  const count = frame.reserve(8);
  const session = await anySession(hsm);
  assert.equal(cryptoki.call('C_FindObjectsInit', [session, template.address, 1n]), 0);
  assert.equal(cryptoki.call('C_FindObjects', [session, found.address, 1n, count.address]), 0);
  assert.equal(cryptoki.call('C_FindObjectsFinal', [session]), 0);
  return found.bytes.readBigUInt64LE();
}

/** A session that is open: the first that the library says anything about. */
async function anySession(hsm: TemporaryToken): Promise<bigint> {
  const { cryptoki, frame } = beneath(hsm);
  const { address } = frame.reserve(32);
  for (let session = 1n; session <= 16n; session += 1n) {
    if (cryptoki.call('C_GetSessionInfo', [session, address]) === 0) return await Promise.resolve(session);
  }
  return assert.fail('No session is open.');
}
