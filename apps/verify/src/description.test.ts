import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { describe, type Description } from './description.ts';
import { pinFields } from './pin-field.ts';
import { pinNames } from './pin-name.ts';

const textOf = (name: string): string =>
  readFileSync(new URL(`../../../spec/vectors/${name}.json`, import.meta.url), 'utf8');
const reserves = JSON.parse(textOf('reserves'));
const files = JSON.parse(textOf('proof-files'));
const signed = JSON.parse(textOf('statement'));
const notes = JSON.parse(textOf('tlog'));

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const text = (written: string): Uint8Array => new TextEncoder().encode(written);

function one(bytes: Uint8Array, name = 'some'): Description {
  const [description] = describe([{ name, bytes }]);
  return description ?? assert.fail();
}

test('each thing is named, tells of itself, and asks for what only its reader knows', () => {
  const { vectors: statements, identity } = signed;
  const certificate = { statement: statements[0].text, identity, signature: statements[0].signature };
  const things: readonly (readonly [Uint8Array, RegExp, readonly string[]])[] = [
    [hex(reserves.plain.packages[0].bytes), /^Your package/u, ['registry', 'nodes', 'client', 'compartment']],
    [hex(reserves.confidential.packages[0].bytes), /^Your package/u, ['registry', 'nodes', 'client', 'compartment']],
    [hex(files.statement[0].bytes), /statement of your balance/u, ['registry', 'nodes', 'client', 'compartment']],
    [hex(files.segregation.plain), /yours alone/u, ['registry', 'nodes', 'client', 'compartment']],
    [text(files.manifest.text), /^The list of the files/u, ['registry', 'nodes']],
    [hex(reserves.plain.publication), /each compartment owes/u, ['registry', 'nodes']],
    [hex(reserves.confidential.summary), /its compartments/u, ['registry', 'nodes']],
    [hex(files.wallets.bytes), /where the coins are/u, ['registry', 'nodes']],
    [hex(files.certificates.bytes), /who certified/u, ['registry', 'nodes']],
    [hex(files.statements.bytes), /signed statements/u, ['registry', 'nodes']],
    [text(JSON.stringify(certificate)), /^A certificate or record/u, ['identities']],
    [text(JSON.stringify({ certificate })), /^A certificate or record/u, ['identities']],
    [text(notes.notes[0].note), /checkpoint/u, ['logKey']],
    [text(JSON.stringify({ index: 0, leaf: '', path: [], checkpoint: '' })), /receipt/u, ['logKey']],
  ];
  for (const [bytes, title, needs] of things) {
    const description = one(bytes);
    assert.match(description.title, title);
    assert.deepEqual([description.known, description.needs], [true, needs], description.title);
    assert.ok(description.helps.every((name) => pinNames.includes(name) && pinFields[name].hint !== ''));
  }
  assert.match(one(hex(reserves.plain.packages[0].bytes)).says, /number \d+ of ether on chain 1, of \d{4}-/u);
  assert.deepEqual(one(hex(reserves.plain.packages[0].bytes)).suggests, { decimals: '18' });
  assert.match(one(hex(reserves.confidential.leaves), 'leaves.bin').title, /its claims/u);
  for (const odd of [new Uint8Array(), Uint8Array.of(1, 2, 3), text('{}'), text('hello')]) {
    assert.deepEqual([one(odd).known, one(odd).needs], [false, []]);
  }
});

test('an address is shown with its checksum and put into its field; one with a wrong checksum is none', () => {
  const address = '0x52908400098527886E0F7030069857D2E4169EE7';
  assert.deepEqual(one(text(` ${address.toLowerCase()}\n`)).suggests, { address });
  assert.match(one(text(address)).says, /^0x5290.*Bring its certificate too/u);
  assert.equal(one(text(address.replace('E', 'e'))).known, false);
});
