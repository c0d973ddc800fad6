import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { amountMax, checksumAddress, parseAddress, parseIntent } from '@bulkhead/domain';
import { enrolled, enrolment, feePayment, opening, payee, policy, sweep, token } from '../test/opening.ts';
import { describeAmount, describeIntent, describeSecond } from './description.ts';
import { describeItem } from './item-description.ts';
import type { RegistryItem } from './registry.ts';
import { describeSpan } from './time-span.ts';

const { assets } = enrolled();
const {
  vectors,
}: { readonly vectors: readonly { readonly canonical: string; readonly intent: Record<string, string> }[] } =
  JSON.parse(readFileSync(new URL('../../../spec/vectors/intent.json', import.meta.url), 'utf8'));

test('a withdrawal in plain lines', () => {
  const [first] = vectors;
  assert.ok(first !== undefined);
  const lines = describeIntent(parseIntent(Buffer.from(first.canonical)), assets);
  assert.deepEqual(
    lines.map(({ name, value }) => `${name}: ${value}`),
    [
      "What: Withdrawal: a client's assets leave to a destination",
      'Client: cl_01985f3c-7a10-7cc3-98c4-dc0c0c07398f',
      'From compartment: 100000 (individual)',
      'To: 0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
      'Amount: 1 ETH (1000000000000000000 base units of eip155:31337/slip44:60)',
      'Highest network fee: 0.000042 ETH (42000000000000 base units of eip155:31337/slip44:60), paid by the client',
      'Chain: eip155:31337',
      'Until: 2027-01-15 07:59:59 UTC',
      'Intent: wd_01985f3c-7a10-7cc3-98c4-dc0c0c07398f',
      'Installation: 0123456789abcdef0123456789abcdef',
    ],
  );
});

function shownAs(value: string): string {
  return /^0x[0-9a-f]{40}$/u.test(value) ? checksumAddress(parseAddress(value)) : value;
}

test('every field of every kind is shown', () => {
  for (const { canonical, intent: fields } of vectors) {
    const shown = describeIntent(parseIntent(Buffer.from(canonical)), assets)
      .map(({ value }) => value)
      .join('\n');
    for (const [name, value] of Object.entries(fields)) {
      if (name === 'kind') continue;
      const times = name === 'expiresAt' || name === 'deadline';
      const texts = times ? [describeSecond(BigInt(value))] : value.split(',').map(shownAs);
      for (const text of texts) assert.ok(shown.includes(text), `${fields['kind']} hides ${name}`);
    }
  }
  const first = new Set(
    vectors.map(({ canonical }) => describeIntent(parseIntent(Buffer.from(canonical)), assets)[0]?.value),
  );
  assert.equal(first.size, 25, 'each kind says what it is');
});

test('amounts are exact, and an asset nobody knows has no units', () => {
  assert.equal(describeAmount(1_234_567n, token, assets), `1.234567 USDC (1234567 base units of ${token})`);
  assert.match(describeAmount(5n, token, new Map()), /^5 base units of .* not known here/u);
});

test('times are UTC, and those beyond the calendar are said as they are', () => {
  assert.equal(describeSecond(0n), '1970-01-01 00:00:00 UTC');
  assert.equal(describeSecond(8_640_000_000_000n), '+275760-09-13 00:00:00 UTC');
  assert.match(describeSecond(2n ** 64n - 1n), /second 18446744073709551615 of Unix time/u);
});

test('items of a list in plain lines', () => {
  const text = [...opening, ...enrolment].map((item) => describeItem(item, assets).join('\n')).join('\n');
  for (const wanted of [
    /List chain eip155:1 \(coins of value\): network fee at most 1000 wei for one intent, 2500 wei for a compartment in 1 hour/u,
    /List chain eip155:31337 \(DEVELOPMENT/u,
    /List asset .*a1a1 as USDC with 6 decimals, contract code c0c0/u,
    /List wallet gas-1 of compartment 1 \(house\): hot, for gas/u,
    /Register person "anna", called "anna", as approver, operational, root/u,
    /key passkey: passkey c0ffee for https:\/\/approve\.example \(relying party approve\.example\), public key 04555/u,
    /key ledger: wallet 0xBEbeBe/u,
    /key robot: Ed25519 public key 6f6c6761/u,
    /2 people for enrolments, 2 for people and policy, destinations cool for 1 day, 6 rules/u,
    /withdrawal from hot wallets of individual compartments: up to 0\.0001 USDC .*, 1 approve besides the requester/u,
    /gas-grant .* to own destinations, nobody approves/u,
    /Enrol client cl_ada in compartment 10000 \(omnibus\)/u,
    /Enrol destination 0xd.* on eip155:1, called "Ada at her bank", for cl_ada in compartment 100000 \(individual\)/iu,
  ]) {
    assert.match(text, wanted);
  }
  assert.ok(text.includes(checksumAddress(payee)));
});

test('items that take away say so', () => {
  const [, , destination] = enrolment;
  assert.ok(destination?.item === 'destination');
  const { label: _, ...name } = destination;
  const items: [RegistryItem, RegExp][] = [
    [{ ...name, item: 'destination-removed' }, /^Remove destination 0x/u],
    [{ item: 'person-suspended', person: 'ben' }, /^Suspend person "ben"/u],
    [{ item: 'person-removed', person: 'ben' }, /^Remove person "ben"/u],
    [
      { item: 'identities', publicKeys: ['ab'.repeat(32)] },
      /^Replace the identity keys .*these 1 sign.*\n  Ed.* abab/u,
    ],
    [{ item: 'asset-removed', asset: token }, /^Remove asset eip155:1\/erc20/u],
  ];
  for (const [item, wanted] of items) assert.match(describeItem(item, assets).join('\n'), wanted);
  const unlimited: RegistryItem = {
    item: 'policy',
    ...policy,
    rules: [{ ...sweep, windowMax: amountMax }, feePayment],
  };
  assert.match(describeItem(unlimited, assets).join('\n'), /without limit in 1 day/u);
  assert.equal(describeSpan(90n), '90 seconds');
  assert.equal(describeSpan(0n), '0 seconds');
  assert.equal(describeSpan(120n), '2 minutes');
});
