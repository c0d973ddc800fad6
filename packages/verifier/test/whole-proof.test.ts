import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Address, parseAddress } from '@bulkhead/domain';
import type { ProofFile } from '@bulkhead/proofs';
import { bytesOf, cloneCode, hexOf, wordOf } from '@bulkhead/vaults';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { type ChainNode, type Examination, type GivenFile, httpNode, type Pins, type Report } from '../src/index.ts';
import { examine } from '../src/whole.ts';
import {
  compartment,
  type Deviation,
  gil,
  identity,
  makeWholeProof,
  openReserveWorld,
  poolAddress,
  type ReserveWorld,
  type WholeFiles,
  type Wish,
} from '../src/testing/index.ts';

let world: ReserveWorld;
let nodes: readonly ChainNode[];
let plain: WholeFiles;
let hidden: WholeFiles;
const epochs = { native: 0n, token: 0n };

/** An epoch that is made as `change` says; final once {@link settled}. */
async function make(wish: Omit<Wish, 'epoch'>): Promise<WholeFiles> {
  const of = wish.token === true ? 'token' : 'native';
  epochs[of] += 1n;
  return await makeWholeProof(world, { ...wish, epoch: epochs[of] });
}

/** Signatures over statements by these members, in this order. */
function by(...numbers: readonly number[]): Deviation {
  return {
    statementSigners: async (digest) => {
      const made: Uint8Array[] = [];
      for (const number of numbers) {
        made.push(bytesOf(await (world.chain.members[number] ?? assert.fail()).sign(digest)));
      }
      return made;
    },
  };
}

type Wallets = NonNullable<Deviation['wallets']>;

const silent: Wallets = (wallets) =>
  wallets.map((each) => ({
    ...each,
    wallets: each.wallets.map((wallet) => (wallet.sort === 'key' ? { ...wallet, signature: undefined } : wallet)),
  }));
/** The signature of another epoch: the context in it is another. */
const replayed: Wallets = (wallets) => {
  const old = proofs.get('hidden')?.wallets[0]?.wallets[0];
  assert.ok(old?.sort === 'key');
  return wallets.map((each, at) => (at === 0 ? { ...each, wallets: [old] } : each));
};
/** A forwarder without its vault in the compartment. */
const orphan: Wallets = (wallets) =>
  wallets.map((each) => ({ ...each, wallets: each.wallets.filter(({ sort }) => sort !== 'vault') }));
/** Compartments whose wallets stand under the other one. */
const swapped: Wallets = (wallets) => wallets.map((each, at) => ({ ...each, wallets: wallets[1 - at]?.wallets ?? [] }));

/** A vault whose terms name another signer set. */
const elsewhere: Wallets = (wallets) =>
  wallets.map((each) => ({
    ...each,
    wallets: each.wallets.map((wallet) => {
      if (wallet.sort !== 'vault') return wallet;
      const config = wallet.config.slice();
      config.fill(0x5a, 44, 64);
      return { ...wallet, config };
    }),
  }));

/** Who lets the wallets of this world spend a lot: somebody of the custodian's, whose word that is. */
const patron = `0x${'7a'.repeat(20)}` as const;
const word = (address: string): string => address.slice(2).toLowerCase().padStart(64, '0');

/**
 * The mapping inside the mapping of allowances (slot 1 of OpenZeppelin's ERC-20) that its owner writes by himself: the dearest place that a
 * custodian can name as that of balances.
 */
function allowancesOf(): bigint {
  return BigInt(hexOf(keccak_256(bytesOf(`0x${word(patron)}${'1'.padStart(64, '0')}`))));
}

async function approveAll(wallets: WholeFiles['wallets']): Promise<void> {
  const { node, token } = world.chain;
  for (const { address } of wallets.flatMap((each) => each.wallets)) {
    const slot = hexOf(keccak_256(concatBytes(bytesOf(`0x${word(address)}`), wordOf(allowancesOf()))));
    await node.call('anvil_setStorageAt', token, slot, hexOf(wordOf(10n ** 12n)));
  }
}

/** Every epoch that a test looks at, made one after the other, so that the chain is waited for once. */
const wishes: Readonly<Record<string, Omit<Wish, 'epoch'>>> = {
  hidden: { tier: 'confidential' },
  plain: { tier: 'plain' },
  'one unit short': { tier: 'plain', held: 1n },
  'another total': { tier: 'plain', reported: 194n },
  replayed: { tier: 'plain', wallets: replayed },
  silent: { tier: 'plain', wallets: silent },
  orphan: { tier: 'plain', wallets: orphan },
  swapped: { tier: 'plain', wallets: swapped },
  elsewhere: { tier: 'plain', wallets: elsewhere },
  'a compartment less': { tier: 'plain', wallets: (wallets) => wallets.slice(0, 1) },
  'other members': { tier: 'plain', ...by(0, 2) },
  'out of order': { tier: 'plain', ...by(2, 0) },
  'one twice': { tier: 'plain', ...by(0, 0) },
  'one alone': { tier: 'plain', ...by(0) },
  'one too many': { tier: 'plain', ...by(0, 1, 2) },
  'counted with less': { tier: 'plain', counted: ({ amount }) => amount - 1n },
  token: { tier: 'plain', token: true },
  'a false slot': { tier: 'plain', token: true, balances: { form: 'key-slot', slot: 7n } },
  allowances: { tier: 'plain', token: true, balances: { form: 'key-slot', slot: allowancesOf() }, held: 1_000_000n },
  'the order of Vyper': { tier: 'plain', token: true, balances: { form: 'slot-key', slot: 0n } },
  'no slot': { tier: 'plain', token: true, balances: { form: 'unknown' } },
};
const proofs = new Map<string, WholeFiles>();

function proof(name: string): WholeFiles {
  return proofs.get(name) ?? assert.fail(name);
}

before(async () => {
  world = await openReserveWorld();
  const node = httpNode(world.chain.url);
  nodes = [node, { ...node, name: 'another party' }];
  for (const [name, wish] of Object.entries(wishes)) {
    proofs.set(name, await make(wish));
    if (name === 'plain') await world.heartbeat();
    if (name === 'hidden') await approveAll(proof('hidden').wallets);
  }
  const { address: vault } = vaultOf(proof('plain'));
  for (const [name, code] of [
    ['other code', '0x6001600155'],
    ['deployed', hexOf(cloneCode(world.chain.vaultImplementation))],
  ] as const) {
    await world.chain.node.call('anvil_setCode', vault, code);
    await world.chain.node.mine(1);
    proofs.set(name, await make({ tier: 'plain' }));
  }
  await world.settle();
  [plain, hidden] = [proof('plain'), proof('hidden')];
});
after(async () => await world[Symbol.asyncDispose]());

function vaultOf({ wallets }: WholeFiles): { readonly address: Address } {
  return wallets.flatMap((each) => each.wallets).find(({ sort }) => sort === 'vault') ?? assert.fail('no vault');
}

function filesOf(
  whole: WholeFiles,
  change: Readonly<Partial<Record<ProofFile, Uint8Array | null>>> = {},
): readonly GivenFile[] {
  const files = new Map<string, Uint8Array>([...whole.files, ['manifest.txt', whole.manifest]]);
  for (const [name, bytes] of Object.entries(change)) {
    if (bytes === null) files.delete(name);
    else files.set(name, bytes);
  }
  return [...files].map(([name, bytes]) => ({ name, bytes }));
}

async function looks(files: readonly GivenFile[], pins: Pins = {}, change: Partial<Examination> = {}): Promise<Report> {
  const known = { registry: world.registry, identities: [identity], ...pins };
  return await examine({ files, pins: known, nodes, ...change });
}

const results = ({ steps }: Report): readonly string[] => steps.map(({ step, result }) => `${step} ${result}`);
const trouble = (report: Report): readonly string[] => results(report).filter((line) => !line.endsWith(' holds'));

function reasonOf({ steps }: Report, name: string): string {
  return steps
    .filter(({ step }) => step === name)
    .map(({ reason }) => reason)
    .join(' ');
}

test('a whole proof of the plain tier holds, down to the coins and who controls them', async () => {
  const report = await looks(filesOf(plain));
  assert.deepEqual(results(report), [
    'nodes holds',
    'block holds',
    'registry holds',
    'pinned holds',
    'header holds',
    'chained holds',
    'fresh holds',
    'signers holds',
    'window holds',
    'manifest holds',
    'files holds',
    'publication holds',
    'totals holds',
    'statement-signed holds',
    'wallets holds',
    'excluded holds',
    'certificates unknown',
    'pinned-block holds',
    'reserves holds',
    'control holds',
    'derived holds',
    'vault-code holds',
    'control holds',
  ]);
  assert.equal(report.holds, true);
  assert.match(reasonOf(report, 'certificates'), /1 wallets have no certificate here/u, 'the vault has none');
  assert.match(reasonOf(report, 'vault-code'), /At 2 nothing is deployed yet/u);
  assert.equal(report.limits.length, 3);
});

test('a whole proof of the confidential tier holds, and says what nobody looked at', async () => {
  const report = await looks(filesOf(hidden));
  assert.deepEqual(trouble(report), ['certificates unknown']);
  assert.ok(results(report).includes('publication holds') && results(report).includes('leaves holds'));
  const without = await looks(filesOf(hidden, { 'leaves.bin': null }));
  assert.deepEqual(trouble(without), ['files unknown', 'leaves unknown', 'certificates unknown']);
});

test('files that are not those of the manifest, or a manifest that is not the registry’s, are seen', async () => {
  const wrong = async (change: Parameters<typeof filesOf>[1], pins: Pins = {}): Promise<readonly string[]> =>
    trouble(await looks(filesOf(plain, change), pins)).filter((line) => line.endsWith('fails'));
  const other = concatBytes(plain.files.get('certificates.bin') ?? assert.fail());
  other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
  assert.equal((await wrong({ 'certificates.bin': other }))[0], 'files fails');
  const wallets = (plain.files.get('wallets.bin') ?? assert.fail()).slice();
  wallets[wallets.length - 1] = (wallets.at(-1) ?? 0) ^ 1;
  assert.deepEqual(await wrong({ 'wallets.bin': wallets }), ['files fails', 'derived fails']);
  const text = new TextDecoder().decode(plain.manifest);
  const shorter = utf8ToBytes(text.replace(/^.*certificates\.bin\n/mu, ''));
  const manifest = [
    ...filesOf(plain).filter(({ name }) => name !== 'manifest.txt'),
    { name: 'manifest.txt', bytes: shorter },
  ];
  const report = await looks(manifest);
  assert.ok(trouble(report).includes('manifest fails') && trouble(report).includes('files fails'));
  // Another epoch's files beside this manifest are told apart by their contexts.
  const mixed = await looks([...filesOf(plain), ...filesOf(hidden)]);
  assert.equal(trouble(mixed).filter((line) => line.endsWith('fails')).length, 0);
  assert.deepEqual(await wrong({}, { excluded: [poolAddress] }), ['excluded fails']);
  assert.deepEqual(await wrong({}, { excluded: [parseAddress(`0x${'99'.repeat(20)}`)] }), []);
  assert.deepEqual(await wrong({}, { identities: ['ab'.repeat(32)] }), ['certificates fails']);
  assert.deepEqual(await wrong({}, { staleAfterSeconds: 1n }), ['age fails']);
  assert.deepEqual(await wrong({}, { staleAfterSeconds: 1_000_000n }), []);
  const build = { factory: poolAddress, vaultImplementation: poolAddress, forwarderImplementation: poolAddress };
  assert.deepEqual(await wrong({}, { build }), ['derived fails']);
});

test('what is missing is unknown, and never taken for granted', async () => {
  assert.deepEqual(trouble(await looks(filesOf(plain, { 'wallets.bin': null }))), ['files unknown', 'wallets unknown']);
  const bare = filesOf(plain).filter(({ name }) => name === 'publication.bin');
  assert.deepEqual(trouble(await looks(bare)), ['manifest unknown', 'wallets unknown']);
  assert.ok(trouble(await looks(filesOf(plain), { identities: [] })).includes('certificates unknown'));
  assert.deepEqual(trouble(await examine({ files: filesOf(plain), pins: {}, nodes })), ['registry unknown']);
  assert.deepEqual(trouble(await examine({ files: [], pins: {}, nodes })), ['file unknown']);
  const late = await looks(filesOf(plain), {}, { nowSeconds: 10_000_000_000n });
  assert.ok(trouble(late).includes('age fails'));
});

test('a client sees its claim, its statement and its own compartment, in both tiers', async () => {
  for (const whole of [plain, hidden]) {
    const statement = { name: 'statement.bin', bytes: whole.statements.get('gil') ?? assert.fail() };
    const own = [
      { name: 'package.bin', bytes: whole.packages.get('gil') ?? assert.fail() },
      statement,
      { name: 'segregation.bin', bytes: whole.segregation },
    ];
    const me = { compartment: gil, holder: utf8ToBytes('gil') };
    const report = await looks(own, { own: { ...me, amount: 40n } });
    const unknown = whole === plain ? [] : ['solvent unknown'];
    assert.deepEqual(trouble(report), [...unknown, 'certificates unknown']);
    for (const step of ['balance', 'statement-signed', 'amounts', 'segregation', 'reserves']) {
      assert.ok(results(report).includes(`${step} holds`), step);
    }
    assert.match(
      reasonOf(report, 'segregation'),
      /your claim of 40 units and no other client’s; beside it are fee-payable 2/u,
    );
    assert.match(reasonOf(report, 'amounts'), /stated: 40; your books: 40; counted: 40 units/u);
    assert.deepEqual(
      trouble(await looks(own, { own: { ...me, amount: 41n } })).filter((line) => line.endsWith('fails')),
      ['balance fails', 'amounts fails'],
    );
    assert.ok(trouble(await looks(own, { own: me })).includes('balance unknown'));
    assert.ok(trouble(await looks([statement], { own: me })).includes('amounts unknown'));
    assert.ok(trouble(await looks([statement])).includes('statement unknown'));
    const ada = { compartment, holder: utf8ToBytes('ada'), amount: 70n };
    const others = trouble(await looks(own, { own: ada }));
    for (const step of ['own-claim', 'statement', 'segregation']) assert.ok(others.includes(`${step} fails`), step);
  }
});

/** What fails of an epoch that was made otherwise than it should be. */
async function failures(name: string, pins: Pins = {}): Promise<readonly string[]> {
  return trouble(await looks(filesOf(proof(name)), pins)).filter((line) => line.endsWith('fails'));
}

test('wallets that hold less than is said, are somebody else’s, or were not shown to be controlled, are seen', async () => {
  assert.deepEqual(await failures('one unit short'), ['reserves fails']);
  assert.deepEqual(await failures('another total'), ['totals fails']);
  assert.deepEqual(await failures('replayed'), ['control fails']);
  assert.deepEqual(await failures('orphan'), ['reserves fails', 'derived fails']);
  assert.deepEqual(await failures('swapped'), ['certificates fails', 'reserves fails']);
  assert.deepEqual(await failures('a compartment less'), ['wallets fails']);
  const unsigned = await looks(filesOf(proof('silent')));
  assert.match(reasonOf(unsigned, 'control'), /1 of 1 keys did not sign/u);
});

test('code that stands at a vault is that of the release, and its signers are those of the registry', async () => {
  assert.match(
    reasonOf(await looks(filesOf(proof('deployed'))), 'vault-code'),
    /^1 vaults and forwarders have the code of the release\. At 1 nothing/u,
  );
  assert.deepEqual(await failures('other code'), ['vault-code fails']);
  const { address } = vaultOf(proof('other code'));
  assert.ok(reasonOf(await looks(filesOf(proof('other code'))), 'vault-code').includes(address));
  // Whoever names other signers has another address as well, and each is said.
  assert.deepEqual(await failures('elsewhere'), ['derived fails', 'control fails']);
  assert.match(
    reasonOf(await looks(filesOf(proof('elsewhere'))), 'control'),
    /answer to the signer set 0x(?:5a){20}, which does not sign for this registry/u,
  );
});

test('vaults whose signers were not heard of since are not known to be controlled', async () => {
  const newest = proof('deployed');
  assert.match(reasonOf(await looks(filesOf(newest)), 'control'), /last heard of before the pinned block/u);
  await world.heartbeat();
  await world.settle();
  assert.ok(!trouble(await looks(filesOf(newest))).includes('control unknown'));
});

test('statements that no quorum signed, or that say another amount than is counted, are ground for a dispute', async () => {
  assert.deepEqual(await failures('other members'), []);
  for (const name of ['out of order', 'one twice', 'one alone', 'one too many']) {
    assert.deepEqual(await failures(name), ['statement-signed fails'], name);
  }
  const lie = proof('counted with less');
  const own = { compartment: gil, holder: utf8ToBytes('gil'), amount: 40n };
  const files = [
    { name: 'package.bin', bytes: lie.packages.get('gil') ?? assert.fail() },
    { name: 'statement.bin', bytes: lie.statements.get('gil') ?? assert.fail() },
  ];
  const report = await looks(files, { own });
  assert.ok(trouble(report).includes('amounts fails') && trouble(report).includes('balance fails'));
  assert.match(
    reasonOf(report, 'amounts'),
    /^Ground for a dispute: keep these files\. stated: 40; your books: 40; counted: 39 units/u,
  );
});

const held = { form: 'key-slot', slot: 0n } as const;

test('balances of a token are proven where the reader says they lie, and only compared where the custodian does', async () => {
  const token = parseAddress(world.chain.token);
  const files = filesOf(proof('token'));
  const claimed = await looks(files);
  assert.deepEqual(trouble(claimed), ['certificates unknown', 'token-layout unknown']);
  assert.match(reasonOf(claimed, 'token-layout'), /is the custodian’s word/u);
  assert.match(reasonOf(claimed, 'token-answers'), /answers the same at that block for all 3/u);
  const pinned = await looks(files, { tokens: [{ token, balances: held }] });
  assert.deepEqual(trouble(pinned), ['certificates unknown']);
  for (const step of ['token-layout holds', 'token-answers holds', 'reserves holds']) {
    assert.ok(results(pinned).includes(step), step);
  }
  const other = { token, balances: held, codeHash: new Uint8Array(32) };
  assert.ok(trouble(await looks(files, { tokens: [other] })).includes('token-layout fails'));
  const elsewhere = { token, balances: { form: 'key-slot', slot: 1n } } as const;
  const wrong = trouble(await looks(files, { tokens: [elsewhere] }));
  assert.ok(wrong.includes('token-answers fails') && wrong.includes('reserves fails'));
  const another = { token: parseAddress(patron), balances: held };
  assert.deepEqual(trouble(await looks(files, { tokens: [another] })), trouble(claimed), 'a pin is of one token');
  const report = await looks(filesOf(proof('no slot')));
  assert.ok(trouble(report).includes('token-layout unknown') && results(report).includes('reserves holds'));
});

test('a custodian that names another mapping, even one that it fills itself, gains nothing by it', async () => {
  const both = ['token-answers fails', 'reserves fails'];
  assert.deepEqual(await failures('a false slot'), both);
  assert.deepEqual(await failures('the order of Vyper'), both);
  // A million more than there is stands in the allowances, and counts for nothing.
  assert.deepEqual(await failures('allowances'), both);
  const token = parseAddress(world.chain.token);
  const pinned = { tokens: [{ token, balances: held }] };
  assert.deepEqual(await failures('allowances', pinned), ['reserves fails'], 'the pinned place is read and no other');
  const [node] = nodes;
  assert.ok(node !== undefined);
  const isQuestion = (call: unknown): boolean => JSON.stringify(call).includes('0x70a08231');
  const answering = (value: string | null): ChainNode => ({
    name: 'answering',
    ask: async (method, params) =>
      method === 'eth_call' && isQuestion(params[0]) ? value : await node.ask(method, params),
  });
  // Nobody answers what the token says: then nothing but the custodian's word says that these are balances.
  const alone = await looks(filesOf(proof('allowances')), {}, { nodes: [answering(null)] });
  assert.ok(trouble(alone).includes('token-answers unknown') && trouble(alone).includes('reserves unknown'));
  // A node that lies for the custodian is contradicted by another, and never makes a pinned place hold more.
  const liar = answering(hexOf(wordOf(10n ** 12n)));
  const told = trouble(await looks(filesOf(proof('allowances')), {}, { nodes: [liar, node] }));
  assert.ok(told.includes('token-answers unknown') && told.includes('reserves unknown'));
  const sure = trouble(await looks(filesOf(proof('token')), pinned, { nodes: [liar] }));
  assert.ok(sure.includes('token-answers fails'));
  assert.ok(trouble(await looks(filesOf(proof('allowances')), pinned, { nodes: [liar] })).includes('reserves fails'));
});

test('a storage proof of another account, or of another slot, proves nothing', async () => {
  const [node] = nodes;
  assert.ok(node !== undefined);
  const token = parseAddress(world.chain.token);
  const pins = { tokens: [{ token, balances: held }] };
  const asks = (change: (params: readonly unknown[]) => readonly unknown[]): ChainNode => ({
    name: 'liar',
    ask: async (method, params) =>
      await node.ask(method, method === 'eth_getProof' && params[0] === token ? change(params) : params),
  });
  const account = asks(([, ...rest]) => [world.chain.bank, ...rest]);
  const slots = asks(([address, list, block]) => [address, Array.isArray(list) ? list.toReversed() : list, block]);
  for (const liar of [account, slots]) {
    const files = filesOf(proof('token'));
    assert.ok(trouble(await looks(files, pins, { nodes: [liar] })).includes('reserves fails'));
    assert.deepEqual(trouble(await looks(files, pins, { nodes: [liar, node] })), ['certificates unknown']);
  }
});

test('a node that lies about balances, codes or blocks is passed over where another tells the truth, and never believed', async () => {
  const [node] = nodes;
  assert.ok(node !== undefined);
  const liar = (method: string, lie: (answer: unknown, params: readonly unknown[]) => unknown): ChainNode => ({
    name: 'liar',
    ask: async (asked, params) => {
      const answer = await node.ask(asked, params);
      return asked === method ? lie(structuredClone(answer), params) : answer;
    },
  });
  const said = async (...given: readonly ChainNode[]): Promise<readonly string[]> =>
    trouble(await looks(filesOf(plain), {}, { nodes: given })).filter((line) => line.endsWith('fails'));
  const rich = liar('eth_getProof', (answer) => ({
    ...Object(answer),
    balance: '0xffffffff',
    codeHash: `0x${'00'.repeat(32)}`,
  }));
  assert.deepEqual(await said(rich, node), [], 'what stands beside the nodes of a proof does not count');
  const nothing = liar('eth_getProof', (answer) => ({ ...Object(answer), accountProof: [] }));
  assert.deepEqual(await said(nothing), ['pinned fails'], 'an empty list of nodes proves nothing');
  const fork = liar('eth_getBlockByNumber', (answer, [height]) =>
    height === `0x${plain.header.blockNumber.toString(16)}` ? null : answer,
  );
  assert.ok(trouble(await looks(filesOf(plain), {}, { nodes: [node, fork] })).includes('pinned-block unknown'));
  const members = liar('eth_getCode', () => `0x00${'00'.repeat(32)}`);
  assert.ok(trouble(await looks(filesOf(plain), {}, { nodes: [members] })).includes('signers unknown'));
  const set = liar('eth_call', (answer, [call]) =>
    JSON.stringify(call).includes('0x46f0975a') ? `0x${'11'.repeat(32)}` : answer,
  );
  assert.ok(
    trouble(await looks(filesOf(plain), {}, { nodes: [set] })).includes('signers fails'),
    'a set that is not in the code',
  );
});

test('a history that the registry’s chain gave up is no history: the block must be final, and everybody’s', async () => {
  const [node] = nodes;
  assert.ok(node !== undefined);
  const snapshot = await world.chain.node.call('evm_snapshot');
  const lost = await make({ tier: 'plain' });
  await world.settle();
  assert.deepEqual(
    trouble(await looks(filesOf(lost))).filter((line) => line.endsWith('fails')),
    [],
  );
  const remembered = await node.ask('eth_getBlockByNumber', ['finalized', false]);
  await world.chain.node.call('evm_revert', snapshot);
  epochs.native -= 1n;
  await world.settle();
  assert.deepEqual(trouble(await looks(filesOf(lost))), ['pinned fails'], 'the epoch is gone with its block');
  const stuck: ChainNode = {
    name: 'stuck',
    ask: async (method, params) =>
      method === 'eth_getBlockByNumber' && params[0] === 'finalized' ? remembered : await node.ask(method, params),
  };
  const told = trouble(await looks(filesOf(lost), {}, { nodes: [stuck, node] }));
  assert.deepEqual(told, ['block fails']);
});
