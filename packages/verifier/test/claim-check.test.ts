import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { proofRegistry } from '@bulkhead/contracts';
import { type Compartment, parseAssetId, parseCompartment } from '@bulkhead/domain';
import {
  type Claim,
  contextOf,
  encodeHeader,
  epochSecrets,
  fastBlockHasher,
  makePlainBook,
  makeSumTree,
  plainPackage,
  type ReserveHeader,
} from '@bulkhead/proofs';
import { bytesOf, type Hex, hexOf } from '@bulkhead/vaults';
import { startVaultChain, type VaultChain } from '@bulkhead/vaults/testing';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { encodeAbiParameters, encodeFunctionData, hashTypedData, keccak256, parseAbi } from 'viem';
import {
  type ChainNode,
  checkClaim,
  type ClaimQuestion,
  httpNode,
  type PinnedRegistry,
  type Report,
} from '../src/index.ts';

const abi = parseAbi([
  'function commit((string asset,uint64 epoch,uint8 tier,uint8 bits,uint8 unitExponent,uint64 blockNumber,bytes32 blockHash,uint64 ledgerPosition,uint64 takenAt) header, bytes32 record, uint128 reserves, bytes signatures)',
  'function draw(bytes32 asset, uint256 number) returns (uint64)',
  'function prove(bytes32 asset, uint256 number, bytes32 proof, bytes signatures)',
]);
const asset = parseAssetId('eip155:31337/slip44:60');
const assetHash = keccak256(`0x${Buffer.from(asset).toString('hex')}`);
const custodian = new Uint8Array(32).fill(0xcc);
const bundle = keccak256('0xb0');
const compartment = parseCompartment(10_000);
const cadence = 3_600;

let world: VaultChain;
let registry: PinnedRegistry;
let node: ChainNode;
let previous: Uint8Array = new Uint8Array(32);

before(async () => {
  world = await startVaultChain();
  const settings = encodeAbiParameters(
    [
      {
        type: 'tuple',
        components: [
          { type: 'address', name: 'signers' },
          { type: 'bytes32', name: 'custodian' },
          ...(['window', 'drawDelay', 'commitWithin', 'cadence', 'proveWithin'] as const).map(
            (name) => ({ type: 'uint32', name }) as const,
          ),
        ],
      },
    ],
    [
      {
        signers: hexOf(bytesOf(`0x${world.signerSet.slice(2)}`)),
        custodian: hexOf(custodian),
        window: 1,
        drawDelay: 2,
        commitWithin: 3_600,
        cadence,
        proveWithin: 3_600,
      },
    ],
  );
  const address = await world.node.deploy(world.bank, `${proofRegistry.bytecode}${settings.slice(2)}`);
  const code = String(await world.node.call('eth_getCode', address, 'latest')) as Hex;
  registry = { chain: 31_337n, address: bytesOf(address), codeHash: bytesOf(keccak256(code)) };
  node = httpNode(world.url);
});
after(async () => await world[Symbol.asyncDispose]());

type Epoch = { readonly header: ReserveHeader; readonly packages: ReadonlyMap<string, Uint8Array> };

/** Commits an epoch in which a pool owes what its clients claim, and makes their packages. */
async function commits(epoch: bigint, reserves: bigint): Promise<Epoch> {
  await world.node.call('evm_increaseTime', 60);
  await world.node.mine(3);
  const block = (await world.node.call('eth_getBlockByNumber', 'latest', false)) as Record<string, Hex>;
  const header: ReserveHeader = {
    tier: 'plain',
    bits: 128,
    registryChain: registry.chain,
    registry: registry.address,
    custodian,
    epoch,
    asset,
    unitExponent: 0,
    blockNumber: BigInt(block['number'] ?? 0),
    blockHash: bytesOf(block['hash'] ?? '0x'),
    ledgerPosition: 100n * epoch,
    takenAt: BigInt(block['timestamp'] ?? 0),
    previous,
  };
  const context = contextOf(header);
  const work = {
    header,
    context,
    hasher: fastBlockHasher(),
    secrets: epochSecrets(new Uint8Array(32).fill(9), context),
  };
  const claims = [claim('ada', 70n), claim('bob', 30n)];
  const tree = makeSumTree(work, { compartment, claims, count: claims.length });
  const plain = makePlainBook(work, [{ tree, reserves }]);
  const { registryChain: _chain, registry: _registry, custodian: _custodian, previous: _previous, ...fields } = header;
  const message = { context: hexOf(context), record: hexOf(plain.book.record), reserves };
  const digest = hashTypedData({
    domain: domain(),
    types: { ReserveCommitment: forms.commitment },
    primaryType: 'ReserveCommitment',
    message,
  });
  const data = encodeFunctionData({
    abi,
    functionName: 'commit',
    args: [
      { ...fields, tier: 1, blockHash: hexOf(header.blockHash) },
      message.record,
      reserves,
      await world.quorum(bytesOf(digest)),
    ],
  });
  const sent = await world.send(addressOf(registry), data);
  assert.ok(sent.succeeded, sent.output);
  previous = context;
  const packages = new Map(
    claims.map((one, at) => [
      new TextDecoder().decode(one.holder),
      plainPackage(work, plain, { tree, claim: one, at }),
    ]),
  );
  return { header, packages };
}

const forms = {
  commitment: [
    { name: 'context', type: 'bytes32' },
    { name: 'record', type: 'bytes32' },
    { name: 'reserves', type: 'uint128' },
  ],
  proof: [
    { name: 'context', type: 'bytes32' },
    { name: 'proof', type: 'bytes32' },
  ],
} as const;

function domain(): { name: string; version: string; chainId: number; verifyingContract: Hex } {
  return { name: 'Bulkhead Proof Registry', version: '1', chainId: 31_337, verifyingContract: hexOf(registry.address) };
}

async function proves({ header }: Epoch): Promise<void> {
  await world.node.mine(4);
  const number = header.epoch - 1n;
  const draw = encodeFunctionData({ abi, functionName: 'draw', args: [assetHash, number] });
  assert.ok((await world.send(addressOf(registry), draw)).succeeded);
  const message = { context: hexOf(contextOf(header)), proof: bundle };
  const digest = hashTypedData({
    domain: domain(),
    types: { ReserveProof: forms.proof },
    primaryType: 'ReserveProof',
    message,
  });
  const signatures = await world.quorum(bytesOf(digest));
  const data = encodeFunctionData({ abi, functionName: 'prove', args: [assetHash, number, bundle, signatures] });
  assert.ok((await world.send(addressOf(registry), data)).succeeded);
}

function addressOf({ address }: PinnedRegistry): VaultChain['factory'] {
  return hexOf(address) as VaultChain['factory'];
}

/** Enough blocks that what was done is final for the node. */
async function becomesFinal(): Promise<void> {
  await world.node.mine(80);
}

function claim(name: string, amount: bigint): Claim {
  return { kind: 'client', holder: utf8ToBytes(name), amount };
}

function own(name: string, amount: bigint, of: Compartment = compartment): ClaimQuestion['own'] {
  return { ...claim(name, amount), compartment: of };
}

async function asks(epoch: Epoch, change: Partial<ClaimQuestion> = {}): Promise<Report> {
  const question = {
    package: epoch.packages.get('ada') ?? assert.fail(),
    own: own('ada', 70n),
    registry,
    nodes: [node, node],
  };
  return await checkClaim({ ...question, ...change });
}

/** Step and result of what does not hold. */
function trouble({ steps }: Report): readonly string[] {
  return steps.filter(({ result }) => result !== 'holds').map(({ step, result }) => `${step} ${result}`);
}

test('a claim that is counted holds, and what a file cannot show is said', async () => {
  const epoch = await commits(1n, 150n);
  await proves(epoch);
  await becomesFinal();
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
      ['package', 'holds'],
      ['own-claim', 'holds'],
      ['record', 'holds'],
      ['balance', 'holds'],
      ['solvent', 'holds'],
      ['fresh', 'holds'],
      ['reserves', 'unknown'],
    ],
  );
  assert.equal(report.holds, true);
  const alone = await asks(epoch, { nodes: [node], registry: { chain: registry.chain, address: registry.address } });
  assert.deepEqual(trouble(alone), ['nodes unknown', 'registry unknown', 'reserves unknown']);

  const wrong = async (change: Partial<ClaimQuestion>): Promise<readonly string[]> => {
    const said = await asks(epoch, change);
    assert.equal(said.holds, false);
    return trouble(said).filter((line) => line.endsWith('fails'));
  };
  const bytes = epoch.packages.get('ada') ?? assert.fail();
  assert.deepEqual(await wrong({ own: own('ada', 71n) }), ['balance fails']);
  assert.deepEqual(await wrong({ own: own('bob', 70n) }), ['own-claim fails']);
  assert.deepEqual(await wrong({ own: own('ada', 70n, parseCompartment(10_001)) }), ['own-claim fails']);
  assert.deepEqual(await wrong({ package: concatBytes(bytes, Uint8Array.of(0)) }), ['package fails']);
  assert.deepEqual(await wrong({ package: bytes.subarray(0, -1) }), ['package fails']);
  assert.deepEqual(await wrong({ package: Uint8Array.of(1, 2, 3) }), ['package fails']);
  const tampered = Uint8Array.from(bytes);
  tampered[tampered.length - 20] = (tampered.at(-20) ?? 0) ^ 1;
  assert.deepEqual(await wrong({ package: tampered }), ['record fails']);
  assert.deepEqual(await wrong({ registry: { ...registry, chain: 1n } }), ['nodes fails']);
  assert.deepEqual(await wrong({ registry: { ...registry, codeHash: new Uint8Array(32) } }), ['pinned fails']);
  assert.deepEqual(await wrong({ registry: { ...registry, address: bytesOf(`0x${world.signerSet.slice(2)}`) } }), [
    'pinned fails',
  ]);

  const later: ReserveHeader = { ...epoch.header, takenAt: epoch.header.takenAt + 1n };
  const swapped = concatBytes(encodeHeader(later), bytes.subarray(encodeHeader(later).length));
  assert.deepEqual(await wrong({ package: swapped }), ['header fails'], 'another header under the same epoch');
  const elsewhere: ReserveHeader = { ...epoch.header, registry: new Uint8Array(20) };
  const moved = concatBytes(encodeHeader(elsewhere), bytes.subarray(encodeHeader(elsewhere).length));
  assert.deepEqual(await wrong({ package: moved }), ['header fails', 'header fails'], 'of another registry');
  const unborn: ReserveHeader = { ...epoch.header, epoch: 9n };
  const early = concatBytes(encodeHeader(unborn), bytes.subarray(encodeHeader(unborn).length));
  assert.deepEqual(await wrong({ package: early }), ['pinned fails'], 'an epoch that nobody committed');
});

test('an epoch in which a compartment owes more than it holds is seen, whatever another has', async () => {
  const epoch = await commits(2n, 99n);
  await proves(epoch);
  await becomesFinal();
  assert.deepEqual(trouble(await asks(epoch)), ['solvent fails', 'reserves unknown']);
});

test('a node that lies about the state, the block or itself is not believed', async () => {
  const epoch = await commits(3n, 150n);
  await proves(epoch);
  await becomesFinal();
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
  assert.deepEqual(await said(proof, node), ['pinned fails']);
  const silent = liar('eth_getProof', () => null);
  assert.deepEqual(await said(silent, node), ['pinned fails']);
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
  const epoch = await commits(4n, 150n);
  await proves(epoch);
  const newer = await commits(5n, 150n);
  await proves(newer);
  await becomesFinal();
  const words = (await asks(epoch)).steps.find(({ step }) => step === 'fresh');
  assert.match(words?.reason ?? '', /not the newest epoch, which is 5/u);
  await world.node.call('evm_increaseTime', cadence + 1);
  await becomesFinal();
  assert.deepEqual(trouble(await asks(newer)), ['fresh fails', 'reserves unknown']);
});
