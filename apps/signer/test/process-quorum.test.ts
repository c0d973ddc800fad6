import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nobleHashes, type RegistryItem } from '@bulkhead/authority';
import { type Address, houseSigners, type Signature, type VaultIntent } from '@bulkhead/domain';
import { addressOfPublicKey } from '@bulkhead/keys';
import { type QuorumSigner, SignerClient, SignerQuorum } from '@bulkhead/signer-client';
import { vaultIntentDigest } from '@bulkhead/vaults';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { signerSet, vaultSystem } from '../src/core/testing/vault.ts';
import { checkConfiguration } from '../src/process/configuration.ts';
import { openKeys } from '../src/process/keys.ts';
import type { RunningSigner } from '../src/process/launch.ts';
import { chain, deployment, entropy, openState, prepareFolder, type Stage, stageOf } from './process-stage.ts';

type Seat = { readonly stage: Stage; readonly running: RunningSigner; readonly client: SignerClient };

/** Three signers, each with its own folder, key file, identity and process, and one registry. */
async function openSeats(parts: AsyncDisposableStack): Promise<readonly [Seat, Seat, Seat]> {
  const folders = await Promise.all(
    [1, 2, 3].map(async (number) => prepareFolder(entropy.map((byte) => byte ^ number))),
  );
  const members: Address[] = [];
  for (const { configuration } of folders) {
    await using keys = await openKeys(checkConfiguration(configuration));
    const point = await keys.drivers.tree?.publicKey({ compartment: houseSigners, index: 0 });
    members.push(addressOfPublicKey(point ?? new Uint8Array()));
  }
  const items: readonly RegistryItem[] = [
    { item: 'wallet', compartment: houseSigners, key: '0', tier: 'hot', purpose: 'vault-signer' },
    { item: 'vault-system', ...vaultSystem(chain, { members: members.sort() }) },
  ];
  const seats: Seat[] = [];
  for (const { directory, configuration } of folders) {
    await openState(configuration, items);
    const stage = parts.use(stageOf(directory, configuration));
    const running = await stage.start();
    seats.push({ stage, running, client: parts.use(new SignerClient({ endpoint: running.endpoint })) });
  }
  const [first, second, third] = seats;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  return [first, second, third];
}

function recover(digest: Uint8Array, { r, s, yParity }: Signature): Address {
  return addressOfPublicKey(
    new secp256k1.Signature(r, s).addRecoveryBit(yParity).recoverPublicKey(digest).toBytes(false),
  );
}

const heartbeat = (at: bigint, id: string): VaultIntent => ({
  deployment,
  kind: 'signer-set-heartbeat',
  id,
  chain,
  signerSet,
  blockNumber: at,
  blockHash: 'b1'.repeat(32),
  statement: '0'.repeat(64),
});

test('three signer processes, each with its own key: two signatures are collected, also when one was killed', async () => {
  await using parts = new AsyncDisposableStack();
  const seats = await openSeats(parts);
  const statuses = await Promise.all(seats.map(async ({ client }) => client.status()));
  assert.equal(new Set(statuses.map(({ registryHash }) => registryHash)).size, 1);
  const members = new Set(statuses.flatMap(({ members: own = [] }) => own));
  assert.equal(members.size, 3, 'one entry of the registry is another key in each');
  const [first, second, third] = seats.map(({ client }, at): QuorumSigner => {
    const identities = statuses[at]?.identities ?? [];
    return { name: `signer ${at + 1}`, signer: client, pinned: { deployment, identities } };
  });
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const quorum = new SignerQuorum({
    signers: [first, second, third],
    threshold: 2,
    setNow: async () => ({ members: [...members], threshold: 2n }),
    recover,
    changesAfter: async () => [],
  });
  const beat = heartbeat(100n, 'hb_one');
  const all = await quorum.signVault({ intent: beat, evidence: { approvals: [] } });
  assert.equal(all.signatures.length, 130);
  const digest = vaultIntentDigest(nobleHashes, beat);
  for (const { member, signature } of all.grants) assert.equal(recover(digest, signature), member);
  process.kill(seats[1].running.pid, 'SIGKILL');
  await seats[1].running.exited;
  const again = await quorum.signVault({ intent: beat, evidence: { approvals: [] } });
  assert.equal(again.signatures.length, 130);
  assert.deepEqual(
    again.answers.flatMap((one) => ('code' in one ? [`${one.signer}: ${one.code}`] : [])),
    ['signer 2: signer/unavailable'],
  );
  await seats[2].running.stop();
  await assert.rejects(quorum.signVault({ intent: beat, evidence: { approvals: [] } }), { code: 'signer/unavailable' });
});
