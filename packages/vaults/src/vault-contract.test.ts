import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { asked, mint, termsOf, client, exitKey } from './testing/vault-terms.ts';
import {
  type AbiParameter,
  type Artifact,
  clientVault,
  demoToken,
  depositForwarder,
  proofRegistry,
  signerSet as signerSetArtifact,
  sweepDelegate,
  vaultFactory,
} from '@bulkhead/contracts';
import { type Address, parseAssetId } from '@bulkhead/domain';
import { encodeFunctionData, hashTypedData } from 'viem';
import { addressOf, wordOfByte } from './testing/example.ts';
import {
  accountKey,
  type AccountKey,
  chain,
  hashes,
  setTerms,
  startVaultChain,
  type VaultChain,
} from './testing/vault-chain.ts';
import {
  assetWord,
  bytesOf,
  callData,
  cloneCode,
  type CommittedHeader,
  configHash,
  delegateSweep,
  type FactoryEvent,
  factoryCalls,
  factoryQuestions,
  forwarderAddress,
  forwarderFlush,
  forwarderSalt,
  heartbeatDomain,
  heartbeatForm,
  type Hex,
  hexOf,
  parseFactoryEvent,
  parseProofRegistryCall,
  parseProofRegistryEvent,
  parseSignerSetEvent,
  proofRegistryCalls,
  proofRegistryCreationCode,
  type ProofRegistryEvent,
  proofRegistryQuestions,
  type ProofRegistrySettings,
  quorumSignatures,
  setChangeDomain,
  setChangeForm,
  type SignerSetEvent,
  signerSetCalls,
  signerSetQuestions,
  standardAddress,
  standardDeployment,
  standardFactory,
  sweepDelegateCreationCode,
  typedDigest,
  vaultCalls,
  vaultQuestions,
  type QuestionForm,
} from './index.ts';
import { proofRegistryEvents } from './proof-registry-event.ts';
import { factoryEvents, signerSetEvents, vaultEvents } from './vault-event.ts';
import { vaultRefusals } from './vault-refusal.ts';

let world: VaultChain;
before(async () => {
  world = await startVaultChain();
});
after(async () => await world[Symbol.asyncDispose]());

type AbiFunction = { readonly name: string; readonly inputs: readonly AbiParameter[] };

function signatureOf({ name, inputs }: AbiFunction): string {
  return `${name}(${inputs.map(typeOf).join(',')})`;
}

function typeOf({ type, components }: AbiParameter): string {
  return components === undefined ? type : type.replace('tuple', `(${components.map(typeOf).join(',')})`);
}

function namesOf(artifact: Artifact, type: 'function' | 'event' | 'error'): readonly string[] {
  return artifact.abi
    .flatMap((entry) => {
      if (entry.type !== type) return [];
      if (entry.type === 'function' && entry.stateMutability === 'view') return [];
      return [signatureOf(entry)];
    })
    .toSorted();
}

async function ask<T, A>(to: Address, question: QuestionForm<T, A>, values: T): Promise<A> {
  return await asked(world, to, { question, values });
}

test('calls, events and errors have the names and types of the contracts, and none is missing', () => {
  type Call = { readonly name: string; readonly form: { readonly abiType: string } };
  const calls = (forms: Readonly<Record<string, Call>>): readonly string[] =>
    Object.values(forms)
      .map(({ name, form }) => name + form.abiType)
      .toSorted();
  const others = (forms: Readonly<Record<string, { readonly signature: string }>>): readonly string[] =>
    Object.values(forms)
      .map(({ signature }) => signature)
      .toSorted();
  assert.deepEqual(calls(vaultCalls), namesOf(clientVault, 'function'));
  assert.deepEqual(calls(factoryCalls), namesOf(vaultFactory, 'function'));
  assert.deepEqual(calls(signerSetCalls), namesOf(signerSetArtifact, 'function'));
  assert.deepEqual(calls({ forwarderFlush }), namesOf(depositForwarder, 'function'));
  assert.deepEqual(calls({ delegateSweep }), namesOf(sweepDelegate, 'function'));
  assert.deepEqual(calls(proofRegistryCalls), namesOf(proofRegistry, 'function'));
  assert.deepEqual(others(vaultEvents), namesOf(clientVault, 'event'));
  assert.deepEqual(others(factoryEvents), namesOf(vaultFactory, 'event'));
  assert.deepEqual(others(signerSetEvents), namesOf(signerSetArtifact, 'event'));
  assert.deepEqual(others(proofRegistryEvents), namesOf(proofRegistry, 'event'));
  assert.deepEqual(others(vaultRefusals), namesOf(clientVault, 'error'));
  // What is indexed is not in a signature: it is read from real receipts below.
});

test('factory, implementations, signer set, vaults and forwarders are where they are computed to be', async () => {
  const { vault, config } = termsOf(world, 'individual', 1);
  const { factory } = world;
  assert.equal(await ask(factory, factoryQuestions.vaultAddress, { configHash: configHash(hashes, config) }), vault);
  assert.equal(await ask(factory, factoryQuestions.vaultImplementation, {}), world.vaultImplementation);
  assert.equal(await ask(factory, factoryQuestions.forwarderImplementation, {}), world.forwarderImplementation);
  const salt = forwarderSalt(5n);
  const forwarder = forwarderAddress(hashes, world, { vault, salt });
  assert.equal(await ask(factory, factoryQuestions.forwarderAddress, { vault, salt }), forwarder);
  assert.deepEqual(await ask(world.signerSet, signerSetQuestions.current, {}), {
    number: 1n,
    members: world.members.map(({ address }) => address),
    threshold: 2n,
  });
  assert.equal(await ask(world.signerSet, signerSetQuestions.changeDelay, {}), setTerms.changeDelay);
});

test('a vault is created with its code and says its configuration', async () => {
  const [first, second, third] = [2, 3, 4].map((number) => termsOf(world, 'individual', number));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const made = await world.send(world.factory, callData(hashes, factoryCalls.create, { config: first.config }));
  const event: FactoryEvent = {
    event: 'VaultCreated',
    vault: first.vault,
    clientId: first.config.clientId,
    config: first.config,
  };
  assert.deepEqual(
    made.logs.map((log) => parseFactoryEvent(hashes, log)),
    [event],
  );
  assert.equal(
    await world.node.call('eth_getCode', first.vault, 'latest'),
    hexOf(cloneCode(world.vaultImplementation)),
  );
  const configs = [first.config, second.config, third.config];
  const many = await world.send(world.factory, callData(hashes, factoryCalls.createMany, { configs }));
  assert.deepEqual(
    many.logs.map((log) => parseFactoryEvent(hashes, log)).map((each) => each?.event === 'VaultCreated' && each.vault),
    [second.vault, third.vault],
  );
  const roles = { clientKey: client.id, exitKey: exitKey.id, exitDestination: first.config.exitDestination };
  assert.deepEqual(await ask(first.vault, vaultQuestions.roles, { config: first.config }), roles);
});

test('the signer set takes a change from old and new members, and a heartbeat of now', async () => {
  const { signerSet, members } = world;
  const [first, second, third] = members;
  const joining = accountKey(0xa4);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const next = [second, third, joining].toSorted((a, b) => (a.address < b.address ? -1 : 1));
  const change = { number: 2n, members: next.map(({ address }) => address), threshold: 2n };
  const digest = typedDigest(hashes, setChangeDomain(signerSet), { form: setChangeForm, message: change });
  const memberSignatures = await quorumOf(next.slice(0, 2), digest);
  const quorumSignatures = await world.quorum(digest);
  const data = callData(hashes, signerSetCalls.changeSet, { change, quorumSignatures, memberSignatures });
  const queued = await world.send(signerSet, data);
  const activeFrom = queued.time + setTerms.changeDelay;
  const expected: SignerSetEvent = { event: 'SetQueued', ...change, activeFrom };
  assert.deepEqual(
    queued.logs.map((log) => parseSignerSetEvent(hashes, log)),
    [expected],
  );
  assert.equal(await ask(signerSet, signerSetQuestions.newestNumber, {}), 2n);
  const version = { activeFrom, members: change.members, threshold: 2n };
  assert.deepEqual(await ask(signerSet, signerSetQuestions.versionAt, { number: 2n }), version);

  const block = await latestBlock();
  const beat = { ...block, statement: wordOfByte(0x0b) };
  const pulse = typedDigest(hashes, heartbeatDomain(chain, signerSet), { form: heartbeatForm, message: beat });
  const signatures = await world.quorum(pulse);
  assert.equal(await ask(signerSet, signerSetQuestions.isQuorum, { digest: hexOf(pulse), signatures }), true);
  const heard = await world.send(signerSet, callData(hashes, signerSetCalls.heartbeat, { beat, signatures }));
  const pulsed: SignerSetEvent = { event: 'HeartbeatGiven', ...beat };
  assert.deepEqual(
    heard.logs.map((log) => parseSignerSetEvent(hashes, log)),
    [pulsed],
  );
  assert.equal(await ask(signerSet, signerSetQuestions.lastHeartbeat, {}), heard.time);
  assert.equal(await ask(signerSet, signerSetQuestions.lastHeartbeatBlock, {}), block.blockNumber);
});

test('forwarders and sweep delegates pay where their address says', async () => {
  const { vault } = termsOf(world, 'omnibus', 6);
  const { token, factory } = world;
  const salts = [forwarderSalt(1n), forwarderSalt(2n)];
  const forwarders = salts.map((salt) => forwarderAddress(hashes, world, { vault, salt }));
  const [salt, forwarder] = [salts[0] ?? '0x', forwarders[0] ?? vault];
  for (const each of forwarders) await mint(world, each, 3n);
  const flushed = await world.send(factory, callData(hashes, factoryCalls.flush, { vault, salts, token }));
  assert.ok(flushed.succeeded);
  const created = flushed.logs.filter(({ address }) => address === factory);
  const expected = salts.map((each, place) => ({
    event: 'ForwarderCreated',
    forwarder: forwarders[place],
    vault,
    salt: each,
  }));
  assert.deepEqual(
    created.map((log) => parseFactoryEvent(hashes, log)),
    expected,
  );
  const code = hexOf(cloneCode(world.forwarderImplementation));
  assert.equal(await world.node.call('eth_getCode', forwarder, 'latest'), code);
  await mint(world, forwarder, 4n);
  await world.send(forwarder, callData(hashes, forwarderFlush, { vault, salt, token }));
  const create = callData(hashes, factoryCalls.createForwarder, { vault, salt: forwarderSalt(3n) });
  assert.ok((await world.send(factory, create)).succeeded);
  assert.equal(await balanceOf(vault), 10n);

  const wallet = addressOf(0x3a);
  const delegateCode = sweepDelegateCreationCode(bytesOf(sweepDelegate.bytecode), wallet);
  await world.send(standardFactory, standardDeployment(delegateCode));
  const delegate = standardAddress(hashes, delegateCode);
  await mint(world, delegate, 9n);
  assert.ok((await world.send(delegate, callData(hashes, delegateSweep, { token }))).succeeded);
  assert.equal(await balanceOf(wallet), 9n);
});

const types = {
  ReserveCommitment: [
    { name: 'context', type: 'bytes32' },
    { name: 'record', type: 'bytes32' },
    { name: 'reserves', type: 'uint128' },
  ],
  ReserveProof: [
    { name: 'context', type: 'bytes32' },
    { name: 'proof', type: 'bytes32' },
  ],
} as const;

test('a registry of proofs is where it is computed to be, takes an epoch, draws it and takes its proof', async () => {
  const settings: ProofRegistrySettings = {
    signers: world.signerSet,
    custodian: wordOfByte(0xcc),
    window: 1n,
    drawDelay: 2n,
    // Shorter than a change of the set takes, one of which waits here.
    commitWithin: 20n,
    cadence: 7_200n,
    proveWithin: 10_800n,
  };
  const code = proofRegistryCreationCode(bytesOf(proofRegistry.bytecode), settings);
  const registry = standardAddress(hashes, code);
  assert.ok((await world.send(standardFactory, standardDeployment(code))).succeeded);
  for (const name of Object.keys(settings) as (keyof ProofRegistrySettings)[]) {
    const said = await world.ask(registry, callData(hashes, proofRegistryQuestions[name], {}));
    assert.equal(BigInt(said), BigInt(settings[name]), name);
  }

  const id = parseAssetId('eip155:31337/slip44:60');
  const asset = assetWord(hashes, id);
  const { blockNumber, blockHash } = await latestBlock();
  const takenAt = BigInt(await timeNow());
  const header = {
    asset: id,
    epoch: 1n,
    tier: 'confidential',
    bits: 64n,
    unitExponent: 9n,
    blockNumber,
    blockHash,
    ledgerPosition: 7n,
    takenAt,
  } as const;
  const none = await ask(registry, proofRegistryQuestions.epochAt, { asset, epoch: 1n });
  assert.equal(none.committedAt, 0n);
  const record = wordOfByte(0x0e);
  const domain = { name: 'Bulkhead Proof Registry', version: '1', chainId: 31_337, verifyingContract: registry };
  const unsigned = { header, record, reserves: 5n, signatures: '0x' } as const;
  assert.deepEqual(parseProofRegistryCall(hashes, callData(hashes, proofRegistryCalls.commit, unsigned)), {
    call: 'commit',
    arguments: unsigned,
  });
  const headerBytes = headerOf(header, { registry, custodian: settings.custodian });
  const context = hexOf(hashes.keccak256(bytesOf(`0x10${headerBytes.slice(2)}`)));
  const message = { context, record, reserves: 5n };
  const digest = hashTypedData({ domain, types, primaryType: 'ReserveCommitment', message });
  const committed = { ...unsigned, signatures: await world.quorum(bytesOf(digest)) };
  const events: ProofRegistryEvent[] = [];
  const take = async (data: Hex, options: { readonly time?: bigint } = {}): Promise<void> => {
    const { succeeded, logs, output } = await world.send(registry, data, options);
    assert.ok(succeeded, output);
    for (const log of logs) events.push(parseProofRegistryEvent(hashes, log) ?? assert.fail('no event of a registry'));
  };
  await take(callData(hashes, proofRegistryCalls.commit, committed));
  const pinned = await ask(registry, proofRegistryQuestions.epochAt, { asset, epoch: 1n });
  assert.deepEqual({ ...pinned, committedAt: 0n }, { context, record, reserves: 5n, takenAt, committedAt: 0n });
  assert.deepEqual(await ask(registry, proofRegistryQuestions.stateOf, { asset }), {
    epoch: 1n,
    proven: 0n,
    unitExponent: 9n,
  });

  await world.node.mine(4);
  await take(callData(hashes, proofRegistryCalls.draw, { asset, number: 0n }));
  const drawn = await ask(registry, proofRegistryQuestions.windowAt, { asset, number: 0n });
  assert.deepEqual([drawn.drawn, drawn.provenAt, drawn.leastReserves], [1n, 0n, 5n]);
  assert.equal(await ask(registry, proofRegistryQuestions.isFresh, { asset }), false);
  const proof = wordOfByte(0x0f);
  const proofDigest = hashTypedData({ domain, types, primaryType: 'ReserveProof', message: { context, proof } });
  const signatures = await world.quorum(bytesOf(proofDigest));
  await take(callData(hashes, proofRegistryCalls.prove, { asset, number: 0n, proof, signatures }));
  assert.equal((await ask(registry, proofRegistryQuestions.windowAt, { asset, number: 0n })).proof, proof);
  assert.equal(await ask(registry, proofRegistryQuestions.isFresh, { asset }), true);
  const late = { ...header, epoch: 2n, ledgerPosition: 8n, blockNumber: blockNumber + 1n, takenAt: takenAt + 1n };
  const lateBytes = headerOf(late, { registry, custodian: settings.custodian, previous: context });
  const lateContext = hexOf(hashes.keccak256(bytesOf(`0x10${lateBytes.slice(2)}`)));
  const lateMessage = { context: lateContext, record, reserves: 6n };
  const lateDigest = hashTypedData({ domain, types, primaryType: 'ReserveCommitment', message: lateMessage });
  const said = { header: late, record, reserves: 6n, signatures: await world.quorum(bytesOf(lateDigest)) };
  const lapse = callData(hashes, proofRegistryCalls.lapse, said);
  assert.deepEqual(parseProofRegistryCall(hashes, lapse), { call: 'lapse', arguments: said });
  await take(lapse, { time: late.takenAt + settings.commitWithin + 1n });
  const lapsed = await ask(registry, proofRegistryQuestions.epochAt, { asset, epoch: 2n });
  assert.deepEqual([lapsed.context, lapsed.committedAt], [lateContext, 0n]);
  const { challengeBlock } = drawn;
  assert.deepEqual(events, [
    { event: 'Committed', asset, epoch: 1n, context, record, reserves: 5n, header: headerBytes },
    { event: 'WindowEnded', asset, window: 0n, challengeBlock },
    { event: 'Drawn', asset, window: 0n, epoch: 1n },
    { event: 'Proven', asset, window: 0n, epoch: 1n, proof, leastReserves: 5n },
    { event: 'Lapsed', asset, epoch: 2n, context: lateContext, record, reserves: 6n, header: lateBytes },
  ] satisfies ProofRegistryEvent[]);
});

type Placed = { readonly registry: Address; readonly custodian: Hex; readonly previous?: Hex };

/** By the table of spec/reserves.md. */
function headerOf(header: CommittedHeader, { registry, custodian, previous = wordOfByte(0) }: Placed): Hex {
  const of = (value: bigint, bytes: number): string => value.toString(16).padStart(bytes * 2, '0');
  const text = (value: string): string => Buffer.from(value, 'utf8').toString('hex');
  const fields = [
    text('bulkhead/reserves'),
    of(1n, 2),
    of(header.tier === 'plain' ? 1n : 2n, 1),
    of(header.bits, 1),
    of(31_337n, 8),
    registry.slice(2),
    custodian.slice(2),
    of(header.epoch, 8),
    of(header.unitExponent, 1),
    of(header.blockNumber, 8),
    header.blockHash.slice(2),
    of(header.ledgerPosition, 8),
    of(header.takenAt, 8),
    previous.slice(2),
    of(BigInt(header.asset.length), 1),
    text(header.asset),
  ];
  return `0x${fields.join('')}`;
}

async function timeNow(): Promise<string> {
  return String(((await world.node.call('eth_getBlockByNumber', 'latest', false)) as { timestamp: Hex }).timestamp);
}

async function balanceOf(holder: Address): Promise<bigint> {
  const data = encodeFunctionData({ abi: demoToken.abi, functionName: 'balanceOf', args: [holder] });
  return BigInt(await world.ask(world.token, data));
}

async function latestBlock(): Promise<{ blockNumber: bigint; blockHash: Hex }> {
  const block = (await world.node.call('eth_getBlockByNumber', 'latest', false)) as { number: Hex; hash: Hex };
  return { blockNumber: BigInt(block.number), blockHash: block.hash };
}

async function quorumOf(keys: readonly AccountKey[], digest: Uint8Array): Promise<Hex> {
  const signatures = new Map<Address, Hex>();
  for (const key of keys) signatures.set(key.address, await key.sign(digest));
  return quorumSignatures(signatures);
}
