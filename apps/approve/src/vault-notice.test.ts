import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nobleHashes, type VaultItem } from '@bulkhead/authority';
import { type Intent, intentBytes, parseAddress } from '@bulkhead/domain';
import {
  addressA,
  addressB,
  addressLikeB,
  chain,
  compartment,
  deployment,
  ether,
  listChange,
  nowSeconds,
} from '../test/installation.ts';
import { examine, type Examination } from './examination.ts';
import { verifyEd25519 } from './ed25519.ts';
import { vaultTermsNotices } from './vault-notice.ts';

const day = 86_400n;
const word = (byte: string): `0x${string}` => `0x${byte.repeat(32)}`;
const vault = parseAddress(`0x${'5a'.repeat(20)}`);
const nobody = parseAddress(`0x${'0'.repeat(40)}`);

const honest: VaultItem = {
  chain,
  compartment,
  client: 'cl_0001',
  tier: 'hot',
  config: {
    clientId: word('c1'),
    signerSet: addressA,
    feeReceiver: vault,
    exitDestination: addressA,
    clientKey: word('0a'),
    exitKey: word('0b'),
    policyHash: word('0c'),
    kind: 'individual',
    feeBpsYear: 50n,
    windowSeconds: day,
    changeDelay: 2n * day,
    recoveryDelay: 14n * day,
    exitDelay: 14n * day,
    exitChangeDelay: 21n * day,
    heartbeatPeriod: 60n * day,
    pauseSeconds: 7n * day,
  },
  policy: { destinations: [addressB], limits: [{ token: nobody, cap: 10n ** 18n }], unlisted: [] },
  agreement: 'ab'.repeat(65),
};

const titles = (item: VaultItem): readonly string[] =>
  vaultTermsNotices(item, new Map())
    .filter(({ level }) => level !== 'information')
    .map(({ title }) => title);

test('nothing is unusual about usual terms, and each unusual one is said', () => {
  assert.deepEqual(titles(honest), []);
  const { config, policy } = honest;
  const open = { token: nobody, cap: 2n ** 104n - 1n };
  const unusual: [RegExp, VaultItem][] = [
    [/window without a limit/u, { ...honest, policy: { ...policy, limits: [open] } }],
    [/addresses that nobody listed/u, { ...honest, policy: { ...policy, unlisted: policy.limits } }],
    [/high fee/u, { ...honest, config: { ...config, feeBpsYear: 101n } }],
    [/count soon/u, { ...honest, config: { ...config, changeDelay: day } }],
    [/long exit/u, { ...honest, config: { ...config, exitDelay: 31n * day } }],
    [/long silence/u, { ...honest, config: { ...config, heartbeatPeriod: 181n * day } }],
    [/looks like another/u, { ...honest, config: { ...config, exitDestination: addressLikeB } }],
  ];
  for (const [title, item] of unusual) {
    const [first, ...more] = titles(item);
    assert.match(first ?? '', title);
    assert.deepEqual(more, []);
  }
});

async function examined(intent: Intent, list?: string): Promise<Examination> {
  const pins = { deployment, identities: [] };
  const examiner = { pins, hashes: nobleHashes, verify: verifyEd25519, now: nowSeconds() };
  return examine({ intent: intentBytes(intent), ...(list === undefined ? {} : { list }) }, examiner);
}

const said = ({ notices }: Examination): string => notices.map(({ level, title }) => `${level}: ${title}`).join('\n');

test('a vault in a list is decoded field by field, with what is unusual about its terms', async () => {
  const item = { item: 'vault', ...honest, config: { ...honest.config, feeBpsYear: 500n } } as const;
  const one = listChange([item]);
  const examination = await examined(one.intent, one.list);
  assert.deepEqual(examination.items, [item]);
  assert.match(said(examination), /warning: A high fee/u);
  const another = { ...item, config: { ...item.config, clientId: word('c2') } };
  const two = listChange([item, another]);
  assert.match(said(await examined(two.intent, two.list)), /A high fee, in 2 vaults/u);
});

test('contracts of vaults in a list change who may do what', async () => {
  const codeHashes = {
    factory: word('01'),
    vaultImplementation: word('02'),
    forwarderImplementation: word('03'),
    signerSet: word('04'),
  };
  const contracts = { factory: addressA, vaultImplementation: addressB, forwarderImplementation: vault };
  const members = [addressA, addressB].sort();
  const system = { chain, ...contracts, signerSet: addressA, codeHashes, feeReceiver: vault, members, threshold: 2 };
  const { intent, list } = listChange([{ item: 'vault-system', ...system, delegateCode: '' }]);
  assert.match(said(await examined(intent, list)), /danger: The list does more than an enrolment may/u);
});

const ofVault = { deployment, client: 'cl_0001', vault, vaultNonce: 1n, deadline: nowSeconds() + 60n } as const;
const matter = { ...ofVault, chain, compartment, expiresAt: nowSeconds() + 600n } as const;
const withdrawal = {
  ...ofVault,
  kind: 'vault-withdrawal',
  id: 'wd_1',
  compartment,
  asset: ether,
  to: addressB,
  amount: 1n,
  feeMax: 1n,
  authorisation: 'listed',
  expiresAt: matter.expiresAt,
} as const;

test('intents for a set of signers show each field, and what goes past the limits of a vault', async () => {
  const listed = await examined(withdrawal);
  const shown = listed.lines.map(({ name, value }) => `${name}: ${value}`).join('\n');
  assert.match(shown, /^Vault: 0x5a5A/mu);
  assert.match(shown, /^Nonce of the vault: 1$/mu);
  assert.doesNotMatch(said(listed), /past every limit|none that the vault lists/u);
  assert.match(said(await examined({ ...withdrawal, authorisation: 'one-off' })), /past every limit/u);
  assert.match(said(await examined({ ...withdrawal, authorisation: 'unlisted' })), /none that the vault lists/u);
  const recovery = {
    ...matter,
    kind: 'vault-key-recovery',
    id: 'vk_1',
    role: 'client',
    newKey: 'ab'.repeat(32),
  } as const;
  assert.match(said(await examined(recovery)), /danger: The client key of a client is replaced/u);
  assert.match(said(await examined({ ...matter, kind: 'vault-pause', id: 'vp_1' })), /takes effect at once/u);
});

test('another set of signers is grave, and one key or all keys are said', async () => {
  const members = [addressA, addressB].sort().join(',');
  const change = { deployment, kind: 'signer-set-change', id: 'ssc_1', signerSet: vault, number: 2n, members } as const;
  const by = async (threshold: bigint): Promise<string> =>
    said(await examined({ ...change, threshold, expiresAt: matter.expiresAt }));
  assert.match(await by(1n), /danger: One key would be enough/u);
  assert.match(await by(2n), /warning: Every key would be needed/u);
  assert.match(await by(2n), /danger: Other keys will sign for all vaults/u);
});
