import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError, parseAddress } from '@bulkhead/domain';
import { formatVerifierKey, verifierKey } from '@bulkhead/tlog';
import type { Pins } from '@bulkhead/verifier';
import { pinFields } from './pin-field.ts';
import { type PinName, pinNames, type PinTexts } from './pin-name.ts';
import { nodesOf } from './pin-reading.ts';

/** Reads texts as the page does, and stops behind one. */
function read(texts: PinTexts, last?: PinName): Pins {
  let pins: Pins = {};
  for (const name of pinNames) {
    const text = texts[name];
    if (text !== undefined) pins = pinFields[name].add(pins, text, texts);
    if (name === last) break;
  }
  return pins;
}

const address = '0x52908400098527886E0F7030069857D2E4169EE7';
const lower = parseAddress(address);
const logKey = formatVerifierKey(verifierKey('log.example', 'ed25519', new Uint8Array(32).fill(1)));
const witnesses = [2, 3].map((seed) =>
  formatVerifierKey(verifierKey(`w${seed}.example`, 'cosignature', new Uint8Array(32).fill(seed))),
);

test('what people type becomes what the check takes', () => {
  const pins = read({
    registry: `eip155:1:${address}`,
    codeHash: `0x${'Ab'.repeat(32)}`,
    nodes: 'https://one.example/key',
    client: 'cl_1',
    compartment: '100042',
    amount: '1.5',
    decimals: '6',
    address,
    identities: `${'AB'.repeat(32)}\n${'cd'.repeat(32)}`,
    chain: 'eip155:1',
    deployment: '0d'.repeat(16),
    logKey,
    witnesses: witnesses.join('\n'),
    witnessesMin: '1',
    token: `${address}=9 0x${'12'.repeat(32)}`,
    excluded: `${address}, ${address}`,
    hours: '48',
  });
  assert.deepEqual(pins, {
    registry: {
      chain: 1n,
      address: Uint8Array.from(Buffer.from(address.slice(2), 'hex')),
      codeHash: new Uint8Array(32).fill(0xab),
    },
    own: { compartment: 100_042, holder: new TextEncoder().encode('cl_1'), amount: 1_500_000n },
    expected: {
      client: 'cl_1',
      compartment: '100042',
      address: lower,
      chain: 'eip155:1',
      deployment: '0d'.repeat(16),
    },
    identities: ['ab'.repeat(32), 'cd'.repeat(32)],
    log: { key: logKey, witnesses, witnessesMin: 1 },
    tokens: [{ token: lower, balances: { form: 'key-slot', slot: 9n }, codeHash: new Uint8Array(32).fill(0x12) }],
    excluded: [lower],
    staleAfterSeconds: 172_800n,
  });
  assert.equal(read({ logKey, witnesses: witnesses.join(' ') }).log?.witnessesMin, 2, 'all of them where nobody says');
  assert.deepEqual(read({ token: `${address}=0:vyper` }).tokens?.[0]?.balances, { form: 'slot-key', slot: 0n });
  assert.equal(read({ client: 'cl_1' }).own, undefined, 'a claim is of a compartment');
  const own = read({ client: 'cl_1', compartment: '100042', amount: '1', decimals: '1' }, 'amount').own;
  assert.equal(own?.amount, 10n);
  assert.deepEqual(
    read({ amount: '1.55', decimals: '99' }, 'amount'),
    {},
    'what is wrong with the digits is said there',
  );
  assert.deepEqual(nodesOf(' https://one.example/key\nhttp://localhost:8545 '), [
    'https://one.example/key',
    'http://localhost:8545',
  ]);
});

test('what cannot be meant is refused with a sentence', () => {
  const wrong: readonly (readonly [PinName, PinTexts, RegExp])[] = [
    ['registry', { registry: address }, /no chain and address/u],
    ['registry', { registry: `eip155:01:${address}` }, /eip155/u],
    ['registry', { registry: `eip155:1:${address.replace('E', 'e')}` }, /checksum/u],
    ['codeHash', { codeHash: '0x12' }, /64 hex digits/u],
    ['client', { client: 'x'.repeat(65) }, /1 to 64/u],
    ['compartment', { compartment: '1e5' }, /digits alone/u],
    ['compartment', { compartment: '3' }, /of the custodian itself/u],
    ['compartment', { compartment: '4294967296' }, /not a compartment/u],
    ['decimals', { decimals: '78' }, /from 0 to 77/u],
    ['decimals', { decimals: '-1' }, /from 0 to 77/u],
    ['amount', { amount: '1.0000001', decimals: '6' }, /digits after the point/u],
    ['amount', { amount: '1,5', decimals: '6' }, /not a decimal amount/u],
    ['amount', { amount: '1' }, /How many digits/u],
    ['identities', { identities: 'ab' }, /64 hex digits/u],
    ['chain', { chain: 'ethereum' }, /eip155/u],
    ['deployment', { deployment: '0D'.repeat(16) }, /32 hex digits/u],
    ['logKey', { logKey: witnesses[0] ?? '' }, /key of a witness, not of a log/u],
    ['witnessesMin', { logKey, witnesses: witnesses.join(' '), witnessesMin: '3' }, /0 to 2 can have/u],
    ['witnesses', { witnesses: logKey }, /no key of a witness/u],
    ['token', { token: `${address} 9` }, /as in 0x…=9/u],
    ['token', { token: `${address}=9 0x12` }, /64 hex digits/u],
    ['excluded', { excluded: 'x' }, /not an EVM address/u],
    ['hours', { hours: '0' }, /whole number of hours/u],
    ['nodes', { nodes: 'http://node.example' }, /https/u],
    ['nodes', { nodes: 'wss://node.example' }, /https/u],
    ['nodes', { nodes: 'node.example' }, /https/u],
    ['nodes', { nodes: 'https://a.example https://a.example' }, /twice/u],
    ['nodes', { nodes: 'https://a https://b https://c https://d https://e https://f' }, /At most 5/u],
  ];
  for (const [name, texts, sentence] of wrong) {
    assert.throws(
      () => read(texts, name),
      (error) => error instanceof CustodyError && sentence.test(error.message),
      JSON.stringify(texts),
    );
  }
});
