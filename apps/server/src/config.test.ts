import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CustodyError, nativeAsset, parseAssetId, parseChainId } from '@bulkhead/domain';
import { checkConfiguration, type Configuration, loadConfiguration } from './config.ts';
import type { Environment } from './environment.ts';

function problems(content: unknown, environment: Environment = {}): readonly string[] {
  return checkConfiguration({ folder: '/srv', environment, content }).problems.map(({ place }) => place);
}

function valid(content: unknown, environment: Environment = {}): Configuration {
  const checked = checkConfiguration({ folder: '/srv', environment, content });
  assert.ok(checked.configuration !== undefined, JSON.stringify(checked.problems));
  return checked.configuration;
}

const secret = 'hunter2-hunter2-hunter2';
const identity = '0e'.repeat(32);
const signer = { address: 'unix:/run/bulkhead/signer.sock', deployment: '0d'.repeat(16), identities: [identity] };

test('without file and environment everything is embedded and for development', () => {
  const configuration = valid({});
  assert.deepEqual(configuration.database, { kind: 'embedded', connections: 20 });
  assert.deepEqual(configuration.http, { host: '127.0.0.1', port: 4_400, hosts: [] });
  assert.equal(configuration.dataDirectory, '/srv/.bulkhead');
  assert.deepEqual(
    configuration.chains.map(({ id, development, source }) => [id, development, source.kind]),
    [['eip155:31337', true, 'embedded']],
  );
  assert.deepEqual(
    configuration.assets.map(({ id }) => String(id)),
    ['eip155:31337/slip44:60'],
  );
  assert.deepEqual(configuration.signer, {
    kind: 'development',
    directory: '/srv/.bulkhead/signer',
    peopleDirectory: '/srv/.bulkhead/people',
    vaultSignersCount: 2,
    softhsmLibrary: '/usr/lib/softhsm/libsofthsm2.so',
  });
  assert.deepEqual(configuration.approvalPage, {
    kind: 'development',
    directory: '/srv/.bulkhead/approval-page',
    port: undefined,
    name: 'Bulkhead, for development',
  });
  assert.equal(configuration.tokens, undefined);
  assert.equal(configuration.policy.releaseUnscreenedDeposits, false);
});

test('everything that is wrong is named at once, with its place, what to do, and no secret', () => {
  const content = {
    dataDirectory: 7,
    logLevel: 'loud',
    http: { port: 70_000, hots: [] },
    chains: [{ id: 'eip155:1', agreement: 3 }, { id: 'eip155:x' }],
    assets: [{ asset: 'eip155:5/slip44:60', symbol: 'ETH', decimals: 18, behaviour: 'native', dustMax: 1 }],
    policy: { quorum: 0, omnibusCompartment: 5 },
    tokens: [{ name: 'alice', role: 'king', environment: 'TOKEN_ALICE' }],
    signer: { address: 'http://signer', deployment: 'x', identities: [], keys: [secret] },
    vaultSigners: [{ address: 'unix:/a', identities: ['x'], deployment: secret }, 7],
    approvalPage: 'approve.example',
    databse: {},
  };
  const environment = {
    DATABASE_URL: `mysql://root:${secret}@db/x`,
    CHAIN_EIP155_1_RPC: `ftp://${secret}.example`,
    CHAIN_EIP155_one_RPC: `https://${secret}.example`,
    BULKHEAD_PROT: '1',
    BULKHEAD_PORT: 'many',
  };
  const checked = checkConfiguration({ folder: '/srv', environment, content });
  assert.equal(checked.configuration, undefined);
  assert.deepEqual(checked.problems.map(({ place }) => place).toSorted(), [
    '/approvalPage',
    '/assets/0/dustMax',
    '/chains/1/id',
    '/dataDirectory',
    '/databse',
    '/http/hots',
    '/http/port',
    '/logLevel',
    '/policy/omnibusCompartment',
    '/policy/quorum',
    '/signer/address',
    '/signer/deployment',
    '/signer/identities',
    '/signer/keys',
    '/tokens/0/role',
    '/vaultSigners/0/deployment',
    '/vaultSigners/0/identities/0',
    '/vaultSigners/1',
    'BULKHEAD_PORT',
    'BULKHEAD_PROT',
    'CHAIN_EIP155_1_RPC',
    'CHAIN_EIP155_one_RPC',
    'DATABASE_URL',
  ]);
  for (const { sentence } of checked.problems) {
    assert.ok(
      (sentence.length > 20 && sentence.endsWith('.')) ||
        sentence.includes('sha256sum') ||
        sentence.includes('openssl'),
      sentence,
    );
    assert.ok(!sentence.includes(secret), sentence);
  }
});

test('what contradicts something else is found where both can be read', () => {
  assert.deepEqual(problems({ chains: [{ id: 'eip155:1' }], signer }), ['CHAIN_EIP155_1_RPC']);
  assert.deepEqual(
    problems({ chains: [{ id: 'eip155:1', agreement: 2 }], signer }, { CHAIN_EIP155_1_RPC: 'https://one.example' }),
    ['/chains/0/agreement'],
  );
  assert.deepEqual(
    problems({
      chains: [
        { id: 'eip155:5', development: true },
        { id: 'eip155:5', development: true },
      ],
    }),
    ['/chains'],
  );
  assert.deepEqual(problems({}, { DATABASE_OWNER_URL: 'postgres://a@b/c' }), ['DATABASE_OWNER_URL']);
  assert.deepEqual(problems({ tokens: [] }), ['/tokens']);
  assert.deepEqual(problems({ tokens: [{ name: 'alice', role: 'admin', environment: 'TOKEN_A' }] }), ['TOKEN_A']);
  assert.deepEqual(problems({ tokens: [{ name: 'alice', role: 'admin' }] }), ['/tokens/0']);
  const asset = { asset: 'eip155:9/slip44:60', symbol: 'ETH', decimals: 18, behaviour: 'standard', dustMax: '0' };
  assert.deepEqual(problems({ assets: [asset] }), ['/assets/0', '/assets/0/behaviour']);
  assert.deepEqual(problems([]), ['/']);
});

test('sources of the environment replace the embedded chain; of several, most must agree', () => {
  const { chains } = valid(
    { signer },
    { CHAIN_EIP155_1_RPC: 'https://one.example/k, https://two.example/k,https://three.example/k' },
  );
  assert.deepEqual(
    chains.map(({ id, development, required, source }) => [id, development, required, source.kind]),
    [[parseChainId('eip155:1'), false, 2, 'rpc']],
  );
  assert.deepEqual(
    valid({ signer }, { CHAIN_EIP155_1_RPC: 'https://one.example' }).assets,
    [],
    'Nothing is allowed on a real chain unless somebody lists it.',
  );
});

test('a real chain needs a signer of its own, which is a socket here or one behind certificates', () => {
  const real = { CHAIN_EIP155_1_RPC: 'https://one.example' };
  assert.deepEqual(problems({}, real), ['/signer']);
  assert.deepEqual(valid({ signer }, real).signer, {
    kind: 'external',
    endpoint: signer.address,
    tls: undefined,
    deployment: signer.deployment,
    identities: [identity],
    vaultSigners: [],
  });
  const signerKeys = ['ab'.repeat(32)];
  const tls = {
    authorityFile: 'authority.pem',
    certificateFile: '/etc/server.pem',
    keyFile: '/etc/server.key',
    signerKeys,
  };
  const far = { ...signer, address: 'tls://signer.internal:4410' };
  const { signer: known } = valid({ signer: { ...far, tls } }, real);
  assert.deepEqual(known.kind === 'external' && [known.endpoint, known.tls], [
    far.address,
    { ...tls, authorityFile: '/srv/authority.pem' },
  ]);
  assert.deepEqual(problems({ signer: far }), ['/signer/tls']);
  assert.deepEqual(problems({ signer: { ...far, tls: { ...tls, signerKeys: [] } } }), ['/signer/tls/signerKeys']);
  assert.deepEqual(problems({ signer: { ...signer, tls } }), ['/signer/tls']);
  for (const address of ['tcp://signer:1', 'tls://signer', 'unix:signer.sock', '/run/signer.sock', 'tls://a/b:1']) {
    assert.deepEqual(problems({ signer: { ...signer, address } }), ['/signer/address'], address);
  }
});

test('other signers of the vaults are listed beside a signer of yours, each once, and counted beside one for development', () => {
  const other = { address: 'unix:/run/bulkhead/second.sock', identities: ['1e'.repeat(32)] };
  const { signer: known } = valid({ signer, vaultSigners: [other] });
  assert.deepEqual(known.kind === 'external' && known.vaultSigners, [
    { endpoint: other.address, tls: undefined, identities: other.identities },
  ]);
  const count = (content: object): unknown => {
    const configured = valid(content).signer;
    return configured.kind === 'development' && configured.vaultSignersCount;
  };
  assert.deepEqual([count({}), count({ vaultSigners: 0 }), count({ vaultSigners: 4 })], [2, 0, 4]);
  const wrong = (vaultSigners: unknown, beside: object = { signer }): readonly string[] =>
    problems({ ...beside, vaultSigners });
  assert.deepEqual(wrong(2), ['/vaultSigners']);
  assert.deepEqual(wrong(16, {}), ['/vaultSigners']);
  assert.deepEqual(wrong('two', {}), ['/vaultSigners']);
  assert.deepEqual(wrong([other], {}), ['/vaultSigners']);
  assert.deepEqual(wrong([other, { ...other, identities: ['2e'.repeat(32)] }]), ['/vaultSigners/1/address']);
  assert.deepEqual(wrong([{ ...other, identities: [identity] }]), ['/vaultSigners/0/identities']);
  assert.deepEqual(wrong([{ ...other, address: 'tls://second:1' }, signer]), ['/vaultSigners/1/deployment']);
  const { deployment: _deployment, ...first } = signer;
  assert.deepEqual(wrong([{ ...other, address: 'tls://second:1' }, first]), [
    '/vaultSigners/0/tls',
    '/vaultSigners/1/address',
    '/vaultSigners/1/identities',
  ]);
});

const word = (byte: string): string => `0x${byte.repeat(32)}`;
const at = (byte: string): string => `0x${byte.repeat(20)}`;
const system = {
  factory: at('1a'),
  vaultImplementation: at('1b'),
  forwarderImplementation: at('1c'),
  signerSet: at('1d'),
  codeHashes: {
    factory: word('2a'),
    vaultImplementation: word('2b'),
    forwarderImplementation: word('2c'),
    signerSet: word('2d'),
  },
  members: [at('3a'), at('3b')],
  threshold: 2,
};

const second = { address: 'unix:/run/bulkhead/second.sock', identities: ['1e'.repeat(32)] };
const real = { CHAIN_EIP155_1_RPC: 'https://one.example' };

test('vaults have contracts, terms and a backup: what the factory or a client would refuse is found at the start', () => {
  const content = (changes: object = {}, vaults: object = { backup: '/mnt/elsewhere' }): object => ({
    signer,
    vaultSigners: [second],
    chains: [{ id: 'eip155:1', vaults: { ...system, ...changes } }],
    vaults,
  });
  const { vaults } = valid(content(), real);
  const found = vaults.systems.get(parseChainId('eip155:1'));
  assert.deepEqual(found, { ...system, threshold: 2n });
  assert.deepEqual([vaults.profile, vaults.backupDirectory], ['production', '/mnt/elsewhere']);
  assert.equal(vaults.terms.exitDelay, 14n * 86_400n);
  const every = (terms: object): bigint =>
    valid(content({}, { backup: '/b', ...terms }), real).vaults.heartbeatEverySeconds;
  assert.deepEqual([{}, { heartbeatHours: 24 }, { heartbeatHours: 0 }].map(every), [7n * 86_400n, 86_400n, 0n]);
  const haste = valid({}).vaults;
  assert.deepEqual(
    [haste.profile, haste.backupDirectory, haste.systems.size],
    ['contract', '/srv/.bulkhead/vault-certificates', 0],
  );
  assert.equal(valid({ vaults: { heartbeatPeriodSeconds: 90 } }).vaults.heartbeatEverySeconds, 30n);
  assert.ok(haste.terms.exitDelay < 60n, 'nobody waits for days on a development chain');

  const wrong = (changes: object, terms?: object): readonly string[] =>
    problems(content(changes, terms ?? { backup: '/mnt/elsewhere' }), real);
  assert.deepEqual(problems(content({}, {}), real), ['/vaults/backup']);
  assert.deepEqual(wrong({ members: [at('3b'), at('3a')] }), ['/chains/0/vaults/members']);
  assert.deepEqual(wrong({ threshold: 3 }), ['/chains/0/vaults/threshold', '/chains/0/vaults/threshold']);
  assert.deepEqual(problems({ ...content(), vaultSigners: [] }, real), ['/chains/0/vaults/threshold']);
  assert.deepEqual(wrong({ factory: '0x1', codeHashes: { ...system.codeHashes, factory: '2a' } }), [
    '/chains/0/vaults/factory',
    '/chains/0/vaults/codeHashes/factory',
  ]);
  assert.deepEqual(wrong({}, { backup: '/mnt/elsewhere', exitDelaySeconds: 60 }), ['/vaults']);
  assert.deepEqual(wrong({}, { backup: '/mnt/elsewhere', exitDelaySeconds: 30 * 86_400 }), ['/vaults']);
  assert.deepEqual(wrong({}, { backup: '/b', heartbeatHours: 22 * 24 + 13 }), ['/vaults/heartbeatHours']);
  assert.deepEqual(wrong({}, { backup: '/mnt/elsewhere', feeBpsYear: 1_001, exitDelay: 1 }), [
    '/vaults/feeBpsYear',
    '/vaults/exitDelay',
  ]);
  assert.deepEqual(problems({ chains: [{ id: 'eip155:5', development: true, vaults: system }] }), ['/chains/0/vaults']);
});

test('a registry of proofs has what its contract was made with, and what is proven there', () => {
  const proofRegistry = {
    address: at('4a'),
    codeHash: `0x${'4b'.repeat(32)}`,
    custodian: `0x${'cc'.repeat(32)}`,
    window: 24,
    drawDelay: 8,
    commitWithinSeconds: 3_600,
    cadenceSeconds: 7_200,
    proveWithinSeconds: 86_400,
    assets: [{ asset: 'eip155:1/slip44:60', tier: 'confidential', unitExponent: 9 }],
  };
  const content = (changes: object = {}, chain: object = { vaults: system }): object => ({
    signer,
    vaultSigners: [second],
    vaults: { backup: '/mnt/elsewhere' },
    chains: [{ id: 'eip155:1', ...chain, proofRegistry: { ...proofRegistry, ...changes } }],
  });
  const { proofs } = valid({ ...content(), proofs: { folder: 'shown', threads: 2 } }, real);
  const [found] = proofs.registries;
  assert.deepEqual(
    [proofs.folder, proofs.secretFile, proofs.threads],
    ['/srv/shown', '/srv/.bulkhead/proofs-secret', 2],
  );
  assert.deepEqual([found?.settings.signers, found?.everySeconds], [system.signerSet, 3_600n]);
  const ether = nativeAsset(parseChainId('eip155:1'));
  assert.deepEqual(found?.termsOf(ether), { tier: 'confidential', unitExponent: 9 });
  assert.equal(found?.termsOf(nativeAsset(parseChainId('eip155:5'))), undefined);
  assert.equal(valid(content({ epochSeconds: 0 }), real).proofs.registries[0]?.everySeconds, 0n);
  const wrong = (changes: object, chain?: object): readonly string[] => problems(content(changes, chain), real);
  const place = '/chains/0/proofRegistry';
  assert.deepEqual(wrong({}, {}), [place], 'without a signer set nobody signs');
  assert.deepEqual(wrong({ epochSeconds: 7_200 }), [`${place}/epochSeconds`]);
  assert.deepEqual(wrong({ custodian: 'ACME', window: 0 }), [`${place}/custodian`, `${place}/window`]);
  const [asset] = proofRegistry.assets;
  assert.deepEqual(wrong({ assets: [asset, asset] }), [`${place}/assets/1/asset`]);
  assert.deepEqual(wrong({ assets: [{ ...asset, asset: 'eip155:5/slip44:60', unitExponent: 37 }] }), [
    `${place}/assets/0/unitExponent`,
  ]);
  assert.deepEqual(wrong({ assets: [{ ...asset, asset: 'eip155:5/slip44:60' }] }), [`${place}/assets/0/asset`]);
  const dollar = { asset: `eip155:1/erc20:${at('4d')}`, tier: 'plain', unitExponent: 0, balances: '9:vyper' };
  const [placed] = valid(content({ assets: [dollar] }), real).proofs.registries;
  assert.deepEqual(placed?.termsOf(parseAssetId(dollar.asset))?.balances, { form: 'slot-key', slot: 9n });
  assert.deepEqual(wrong({ assets: [{ ...dollar, balances: 'first' }] }), [`${place}/assets/0/balances`]);
  assert.deepEqual(wrong({ assets: [{ ...asset, balances: '9' }] }), [`${place}/assets/0/balances`], 'a coin has none');
  const chains = ['eip155:1', 'eip155:5'].map((id) => ({ id, vaults: system, proofRegistry }));
  const both = { ...real, CHAIN_EIP155_5_RPC: 'https://two.example' };
  assert.deepEqual(problems({ ...content(), chains }, both), ['/chains']);
});

test('a jurisdiction says everything that it may forbid, or nothing', () => {
  assert.equal(valid({}).policy.jurisdiction, undefined);
  const jurisdiction = { name: 'strict', omnibusForbidden: true, noContractInColdTier: false };
  assert.deepEqual(valid({ policy: { jurisdiction } }).policy.jurisdiction, jurisdiction);
  const wrong = (value: unknown): readonly string[] => problems({ policy: { jurisdiction: value } });
  assert.deepEqual(wrong({ name: 'strict', omnibusForbidden: true }), ['/policy/jurisdiction/noContractInColdTier']);
  assert.deepEqual(wrong({ ...jurisdiction, name: '', omnibusForbiden: true }), [
    '/policy/jurisdiction/name',
    '/policy/jurisdiction/omnibusForbiden',
  ]);
});

test('the approval page is served beside the signer for development, and has an address beside another one', () => {
  const served = valid({ approvalPage: { port: 0, name: 'Trial' } }).approvalPage;
  assert.deepEqual(served, { kind: 'development', directory: '/srv/.bulkhead/approval-page', port: 0, name: 'Trial' });
  const address = { kind: 'address', address: 'https://approve.example' };
  assert.deepEqual(valid({ signer, approvalPage: 'https://approve.example/' }).approvalPage, address);
  assert.deepEqual(valid({ signer }).approvalPage, { kind: 'none' });
  assert.deepEqual(problems({ signer, approvalPage: { port: 1 } }), ['/approvalPage']);
  assert.deepEqual(problems({ approvalPage: { port: 70_000, nam: '' } }), ['/approvalPage/port', '/approvalPage/nam']);
});

test('a token in the environment reaches the configuration as its digest alone', () => {
  const configuration = valid(
    { tokens: [{ name: 'alice', role: 'admin', environment: 'TOKEN_ALICE' }] },
    { TOKEN_ALICE: secret },
  );
  assert.equal(JSON.stringify(configuration.tokens).includes(secret), false);
  assert.match(configuration.tokens?.[0]?.tokenSha256 ?? '', /^[0-9a-f]{64}$/u);
  const client = 'cl_01931d5c-6f3a-7cc3-98c4-dc0c0c07398f';
  const token = { name: 'cleo', sha256: 'ab'.repeat(32) };
  assert.equal(valid({ tokens: [{ ...token, role: 'client', client }] }).tokens?.[0]?.clientId, client);
  assert.deepEqual(problems({ tokens: [{ ...token, role: 'client' }] }), ['/tokens/0']);
  assert.deepEqual(problems({ tokens: [{ ...token, role: 'admin', client }] }), ['/tokens/0']);
});

test('the file is read from the folder, its mistakes are told without its text, and the example is right', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-config-'));
  try {
    assert.equal(loadConfiguration(folder, {}).http.port, 4_400);
    const path = join(folder, 'bulkhead.config.json');
    writeFileSync(path, `{"tokens": "${secret}" "x"}`);
    const fault = thrownBy(() => loadConfiguration(folder, {}));
    assert.equal(fault.code, 'config/invalid');
    assert.match(fault.message, /is not JSON/u);
    assert.ok(!fault.message.includes(secret));
    writeFileSync(path, JSON.stringify({ http: { port: -1 }, policy: { quorum: 'two' } }));
    assert.match(
      thrownBy(() => loadConfiguration(folder, {})).message,
      /2 things are wrong[\s\S]*\/http\/port: [\s\S]*\/policy\/quorum: /u,
    );
    assert.match(
      thrownBy(() => loadConfiguration(folder, { BULKHEAD_CONFIG: 'gone.json' })).message,
      /gone\.json cannot be read/u,
    );
    writeFileSync(path, readFileSync(new URL('../../../bulkhead.config.example.json', import.meta.url)));
    const environment = { CHAIN_EIP155_1_RPC: 'https://one.example,https://two.example', TOKEN_ALICE: secret };
    assert.equal(loadConfiguration(folder, environment).chains.length, 2);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function thrownBy(work: () => unknown): CustodyError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof CustodyError);
    return error;
  }
  assert.fail('Nothing was thrown.');
}
