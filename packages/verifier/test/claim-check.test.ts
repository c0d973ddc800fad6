import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Compartment, parseCompartment } from '@bulkhead/domain';
import { encodeHeader, type ReserveHeader } from '@bulkhead/proofs';
import { bytesOf, hexOf } from '@bulkhead/vaults';
import { emptyFrontier, extend, leafHash, parseSignedNote, rootOf, type Tile } from '@bulkhead/tlog';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import {
  type ChainNode,
  examine,
  httpNode,
  type OwnKnowledge,
  type PinnedRegistry,
  type Report,
} from '../src/index.ts';
import { agreeOnBlock } from '../src/pinned-block.ts';
import { readWindow } from '../src/registry-state.ts';
import { examine as examineAll } from '../src/whole.ts';
import {
  cadence,
  claimOf,
  type CommittedEpoch,
  compartment,
  openReserveWorld,
  type ReserveWorld,
} from '../src/testing/index.ts';
import { noteOf, pinned } from './log-notes.ts';

let world: ReserveWorld;
let registry: ReserveWorld['registry'];
let node: ChainNode;

before(async () => {
  world = await openReserveWorld();
  ({ registry } = world);
  node = httpNode(world.chain.url);
});
after(async () => await world[Symbol.asyncDispose]());

function own(name: string, amount: bigint, of: Compartment = compartment): OwnKnowledge {
  return { ...claimOf(name, amount), compartment: of };
}

/** The same node under another name: two parties, as far as a reader can see. */
function twin(): ChainNode {
  return { ...node, name: 'twin' };
}

type Change = {
  readonly package?: Uint8Array;
  readonly own?: OwnKnowledge;
  readonly registry?: PinnedRegistry;
  readonly nodes?: readonly ChainNode[];
};

async function asks(epoch: CommittedEpoch, change: Change = {}): Promise<Report> {
  const bytes = change.package ?? epoch.packages.get('ada') ?? assert.fail();
  return await examine({
    files: [{ name: 'ada.bin', bytes }],
    pins: { own: change.own ?? own('ada', 70n), registry: change.registry ?? registry },
    nodes: change.nodes ?? [node, twin()],
  });
}

/** Step and result of what does not hold. */
function trouble({ steps }: Report): readonly string[] {
  return steps.filter(({ result }) => result !== 'holds').map(({ step, result }) => `${step} ${result}`);
}

test('a claim that is counted holds, and what a file cannot show is said', async () => {
  const epoch = await world.commit(1n, 150n);
  await world.prove(epoch);
  await world.settle();
  const report = await asks(epoch);
  assert.deepEqual(
    report.steps.map(({ step, result }) => [step, result]),
    [
      ['nodes', 'holds'],
      ['block', 'holds'],
      ['registry', 'holds'],
      ['pinned', 'holds'],
      ['header', 'holds'],
      ['chained', 'holds'],
      ['fresh', 'holds'],
      ['package', 'holds'],
      ['own-claim', 'holds'],
      ['record', 'holds'],
      ['balance', 'holds'],
      ['solvent', 'holds'],
      ['reserves', 'unknown'],
    ],
  );
  assert.equal(report.holds, true);
  const alone = await asks(epoch, { nodes: [node], registry: { chain: registry.chain, address: registry.address } });
  assert.deepEqual(trouble(alone), ['nodes unknown', 'registry unknown', 'reserves unknown']);
  const oneHost = await asks(epoch, { nodes: [node, httpNode(`${world.chain.url}/?again`)] });
  assert.deepEqual(trouble(oneHost), ['nodes unknown', 'reserves unknown'], 'two addresses of one host are one party');
  assert.match(oneHost.steps[0]?.reason ?? '', /all of one host and count as one/u);

  const wrong = async (change: Change): Promise<readonly string[]> => {
    const said = await asks(epoch, change);
    assert.equal(said.holds, false);
    return trouble(said).filter((line) => line.endsWith('fails'));
  };
  const bytes = epoch.packages.get('ada') ?? assert.fail();
  assert.deepEqual(await wrong({ own: own('ada', 71n) }), ['balance fails']);
  assert.deepEqual(await wrong({ own: own('bob', 70n) }), ['own-claim fails']);
  assert.deepEqual(await wrong({ own: own('ada', 70n, parseCompartment(10_001)) }), ['own-claim fails']);
  for (const cut of [concatBytes(bytes, Uint8Array.of(0)), bytes.subarray(0, -1)]) {
    assert.deepEqual(trouble(await asks(epoch, { package: cut })), ['file unknown']);
    const files = [{ name: 'ada.bin', bytes: cut }];
    const whole = await examineAll({ files, pins: { own: own('ada', 70n), registry }, nodes: [node, twin()] });
    assert.deepEqual(trouble(whole).slice(0, 2), ['manifest unknown', 'publication fails']);
  }
  assert.deepEqual(trouble(await asks(epoch, { package: Uint8Array.of(1, 2, 3) })), ['file unknown']);
  const tampered = Uint8Array.from(bytes);
  tampered[tampered.length - 20] = (tampered.at(-20) ?? 0) ^ 1;
  assert.deepEqual(await wrong({ package: tampered }), ['record fails']);
  assert.deepEqual(trouble(await asks(epoch, { registry: { ...registry, chain: 1n } })), ['nodes unknown']);
  assert.deepEqual(await wrong({ registry: { ...registry, codeHash: new Uint8Array(32) } }), ['pinned fails']);
  assert.deepEqual(
    await wrong({ registry: { ...registry, address: bytesOf(`0x${world.chain.signerSet.slice(2)}`) } }),
    ['pinned fails'],
  );

  const later: ReserveHeader = { ...epoch.header, takenAt: epoch.header.takenAt + 1n };
  const swapped = concatBytes(encodeHeader(later), bytes.subarray(encodeHeader(later).length));
  assert.deepEqual(await wrong({ package: swapped }), ['header fails'], 'another header under the same epoch');
  const elsewhere: ReserveHeader = { ...epoch.header, registry: new Uint8Array(20) };
  const moved = concatBytes(encodeHeader(elsewhere), bytes.subarray(encodeHeader(elsewhere).length));
  assert.deepEqual(await wrong({ package: moved }), ['header fails'], 'of another registry');
  const unborn: ReserveHeader = { ...epoch.header, epoch: 9n };
  const early = concatBytes(encodeHeader(unborn), bytes.subarray(encodeHeader(unborn).length));
  assert.deepEqual(await wrong({ package: early }), ['pinned fails'], 'an epoch that nobody committed');
});

test('an epoch in which a compartment owes more than it holds is seen, whatever another has', async () => {
  const epoch = await world.commit(2n, 99n);
  await world.prove(epoch);
  await world.settle();
  assert.deepEqual(trouble(await asks(epoch)), ['solvent fails', 'reserves unknown']);
});

test('a node that lies about the state, the block or itself is not believed', async () => {
  const epoch = await world.commit(3n, 150n);
  await world.prove(epoch);
  await world.settle();
  const liar = (method: string, lie: (answer: Record<string, unknown>) => unknown): ChainNode => ({
    name: 'liar',
    ask: async (asked, params) => {
      const answer = await node.ask(asked, params);
      return asked === method ? lie(structuredClone(answer) as Record<string, unknown>) : answer;
    },
  });
  const said = async (...nodes: readonly ChainNode[]): Promise<readonly string[]> =>
    trouble(await asks(epoch, { nodes }));
  const value = liar('eth_getProof', (answer) => ({
    ...answer,
    storageProof: (answer['storageProof'] as readonly object[]).map((proof) => ({ ...proof, value: '0x1' })),
  }));
  assert.deepEqual(
    await said(value, node),
    ['reserves unknown'],
    'what a node says beside the nodes of a proof does not count',
  );
  const proof = liar('eth_getProof', (answer) => ({
    ...answer,
    storageProof: (answer['storageProof'] as readonly object[]).toReversed(),
  }));
  assert.deepEqual(await said(proof), ['nodes unknown', 'pinned fails']);
  assert.deepEqual(await said(proof, node), ['reserves unknown'], 'a lie beside the truth is passed over');
  const silent = liar('eth_getProof', () => null);
  assert.deepEqual(await said(silent), ['nodes unknown', 'pinned unknown']);
  assert.deepEqual(await said(silent, node), ['reserves unknown'], 'another node proves it');
  const state = liar('eth_getBlockByNumber', (answer) => ({ ...answer, stateRoot: `0x${'11'.repeat(32)}` }));
  assert.deepEqual(await said(state, node), ['block fails'], 'a header with another state has another hash');
  assert.deepEqual(await said(node, state), ['block fails']);
  const chain = liar('eth_chainId', () => '0x1');
  assert.deepEqual(await said(node, chain), ['nodes fails']);
  const gone: ChainNode = { name: 'gone', ask: async () => await Promise.reject(new Error('gone')) };
  assert.deepEqual(await said(node, gone), ['nodes unknown']);
  assert.deepEqual(await said(), ['nodes unknown']);
  const fresh = liar('eth_call', () => null);
  assert.deepEqual(await said(node, fresh), ['fresh unknown', 'reserves unknown']);
});

test('proofs that stopped coming are stale, and an older epoch is called older', async () => {
  const epoch = await world.commit(4n, 150n);
  await world.prove(epoch);
  const newer = await world.commit(5n, 150n);
  await world.prove(newer);
  await world.settle();
  const words = (await asks(epoch)).steps.find(({ step }) => step === 'fresh');
  assert.match(words?.reason ?? '', /not the newest epoch, which is 5/u);
  await world.chain.node.call('evm_increaseTime', cadence + 1);
  await world.settle();
  assert.deepEqual(trouble(await asks(newer)), ['fresh fails', 'reserves unknown']);
});

test('an epoch that lapsed counts for nothing and stays visible, and windows count those that were committed', async () => {
  const lapsed = await world.lapse(6n, 150n);
  await world.settle();
  const of = await asks(lapsed);
  assert.deepEqual(trouble(of), ['pinned fails']);
  assert.match(
    of.steps.find(({ step }) => step === 'pinned')?.reason ?? '',
    /Epoch 6 of \S+ lapsed: it was signed and not/u,
  );
  const epoch = await world.commit(7n, 150n);
  await world.prove(epoch);
  await world.settle();
  const report = await asks(epoch);
  assert.deepEqual(trouble(report), ['reserves unknown'], 'it follows the one that lapsed');
  const told = report.steps.find(({ step }) => step === 'pinned')?.reason ?? '';
  assert.match(told, /One epoch of this asset was signed and not committed in time\./u);

  const block = await agreeOnBlock([node, twin()], undefined);
  assert.ok(block.header !== undefined);
  const view = { nodes: [node], block: block.header };
  const { asset } = epoch.header;
  const window = await readWindow(view, { registry, asset, epoch: 7n });
  assert.ok(!('unread' in window));
  assert.deepEqual([window.number, window.drawn], [5n, 7n]);
  const asked = (answer: string | null): ChainNode => ({
    name: 'liar',
    ask: async (method, params) => {
      const [call] = params as readonly { readonly data?: string }[];
      const isCount = method === 'eth_call' && call?.data?.endsWith('7') === true;
      return isCount ? answer : await node.ask(method, params);
    },
  });
  const lie = `0x${'5'.padStart(64, '0')}`;
  for (const [answer, answered] of [
    [lie, true],
    [`0x${'0'.repeat(64)}`, true],
    [null, false],
  ] as const) {
    const said = await readWindow({ ...view, nodes: [asked(answer)] }, { registry, asset, epoch: 7n });
    assert.deepEqual('unread' in said && said.answered, answered, String(answer));
  }
});

const leaves = Array.from({ length: 7 }, (_, n) => leafHash(utf8ToBytes(`leaf ${n}`)));
const changed = leaves.map((hash, n) => (n < 2 ? hash : leafHash(utf8ToBytes(`other ${n}`))));
const noteAt = (size: number, of: readonly Uint8Array[]): string =>
  noteOf({ size, root: rootOf(extend(emptyFrontier, of.slice(0, size))) });
const tilesOf =
  (of: readonly Uint8Array[]) =>
  async ({ width }: Tile): Promise<Uint8Array> =>
    await Promise.resolve(concatBytes(...of.slice(0, width)));

test('the chain has a checkpoint of the log, or what it has is not in the log any more, or it cannot be known', async () => {
  const log = { ...pinned, anchor: { chain: 31_337n, signerSet: world.chain.signerSet } };
  type Asked = { readonly of?: readonly Uint8Array[]; readonly nodes?: readonly ChainNode[]; readonly tiles?: boolean };
  const said = async (
    size: number,
    { of = leaves, nodes = [node, twin()], tiles = true }: Asked = {},
  ): Promise<string> => {
    const files = [{ name: 'checkpoint', bytes: utf8ToBytes(noteAt(size, of)) }];
    const readTile = tiles ? { readTile: tilesOf(of) } : {};
    const { steps } = await examineAll({ files, pins: { log }, nodes, ...readTile });
    const last = steps.at(-1) ?? assert.fail();
    return `${last.step} ${last.result}: ${last.reason}`;
  };
  const beat = async (size: number, of: readonly Uint8Array[] = leaves): Promise<void> => {
    await world.chain.node.mine(2);
    await world.heartbeat(sha256(utf8ToBytes(parseSignedNote(noteAt(size, of)).text)));
  };
  await world.heartbeat();
  await world.settle();
  assert.match(await said(5), /^anchor unknown: .* states no checkpoint/u);
  await beat(3);
  await beat(5);
  await world.settle();
  assert.match(await said(5, { tiles: false }), /^anchor holds: .* with 5 leaves on the chain/u);
  assert.match(await said(6, { tiles: false }), /^anchor unknown: None of the 2/u);
  assert.match(await said(6), /^anchor holds: .* with 5 leaves/u);
  assert.match(await said(4), /^anchor holds: .* with 3 leaves .* 1 later ones are larger, or of another history/u);
  assert.match(await said(2), /^anchor unknown: .* larger, or of another history/u);
  assert.match(await said(6, { nodes: [] }), /^anchor unknown: No node of chain 31337/u);
  const withLogs = (name: string, change: (logs: readonly object[]) => unknown): ChainNode => ({
    name,
    ask: async (method, params) => {
      const answer = await node.ask(method, params);
      return method === 'eth_getLogs' && Array.isArray(answer) ? change(answer) : answer;
    },
  });
  assert.match(
    await said(6, { nodes: [node, withLogs('liar', () => [])] }),
    /^anchor fails: liar gives other heartbeats/u,
  );
  const strange = withLogs('strange', (logs) => logs.map((each) => ({ ...each, address: hexOf(registry.address) })));
  assert.match(await said(6, { nodes: [strange] }), /^anchor unknown: strange does not give/u);
  assert.match(await said(6, { nodes: [withLogs('mute', () => null)] }), /^anchor unknown: mute does not give/u);
  // Rewritten from its third leaf on, and anchored again as if nothing had been.
  await beat(6, changed);
  await world.settle();
  assert.match(await said(6, { of: changed }), /^anchor fails: .* never had/u);
});
