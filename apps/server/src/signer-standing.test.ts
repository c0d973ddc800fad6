import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ProofSigner,
  type Address,
  parseAddress,
  parseChainId,
  type Signer,
  type SignerStatus,
  type VaultSigner,
} from '@bulkhead/domain';
import type { ConfiguredSystem } from './config-vaults.ts';
import type { ReachedSigner, ReachedSigners } from './reached-signer.ts';
import { quorumViews, standingsOf, standingView, waitingReasons } from './signer-standing.ts';

const chain = parseChainId('eip155:1');
const address = (digit: string): Address => parseAddress(`0x${digit.repeat(40)}`);
const [set, first, second, stranger] = ['5', '1', '2', '9'].map(address);

const status: SignerStatus = {
  deployment: '0a'.repeat(16),
  residency: 'hsm-sealed',
  registryVersion: 3n,
  registryHash: 'ab'.repeat(32),
  sequence: 120n,
  identities: ['cd'.repeat(32)],
  slots: [],
};

function signer(name: string, says: Partial<SignerStatus>): ReachedSigner {
  const asked: Pick<Signer, 'status'> = { status: async () => Promise.resolve({ ...status, ...says }) };
  // Nothing else of a signer is asked for what it says of itself.
  const nothing: Omit<ProofSigner & Signer & VaultSigner, 'status'> = Object.create(null);
  const pinned = { deployment: status.deployment, identities: status.identities };
  return { name, signer: { ...nothing, ...asked }, pinned, endpoint: 'unix:/none', pid: undefined };
}

function reachedBy(one: Partial<SignerStatus>, other: Partial<SignerStatus>): ReachedSigners {
  assert.ok(set !== undefined && first !== undefined && second !== undefined);
  const word = `0x${'00'.repeat(32)}` as const;
  const system: ConfiguredSystem = {
    factory: set,
    vaultImplementation: set,
    forwarderImplementation: set,
    signerSet: set,
    codeHashes: { factory: word, vaultImplementation: word, forwarderImplementation: word, signerSet: word },
    members: [first, second],
    threshold: 2n,
  };
  return {
    ...signer('the signer', one),
    vaultSigners: [signer('vault signer 2', other)],
    vaultSystems: new Map([[chain, system]]),
    proofRegistries: [],
  };
}

async function quorum(one: Partial<SignerStatus>, other: Partial<SignerStatus>): Promise<readonly [number, boolean]> {
  const reached = reachedBy(one, other);
  const [view] = quorumViews(reached, await standingsOf(reached));
  assert.ok(view !== undefined);
  return [view.signing, view.sufficient];
}

const only = (member: Address | undefined): Partial<SignerStatus> => ({
  members: member === undefined ? [] : [member],
});

test('a quorum counts keys of its set, each once, of signers that sign', async () => {
  assert.deepEqual(await quorum(only(first), only(second)), [2, true]);
  assert.deepEqual(await quorum(only(first), only(first)), [1, false], 'one key with two signers is one');
  assert.deepEqual(await quorum(only(first), only(stranger)), [1, false], 'a key outside of the set is none');
  const rewound = { slots: [{ name: 'state', healthy: false, detail: 'It is older than its slots know.' }] };
  assert.deepEqual(
    await quorum(only(first), { ...only(second), ...rewound }),
    [1, false],
    'one in recovery signs nothing',
  );
  const slot = { slots: [{ name: 'hsm_slot_2', healthy: false, detail: 'Away.' }] };
  assert.deepEqual(await quorum(only(first), { ...only(second), ...slot }), [2, true], 'one of two slots is enough');
});

test('a signer whose registry differs at the same version is told, and one that is behind is not', async () => {
  const told = async (
    other: Partial<SignerStatus>,
  ): Promise<readonly [string | null | undefined, readonly string[]]> => {
    const reached = reachedBy(only(first), { ...only(second), ...other });
    const standings = await standingsOf(reached);
    const [, one] = standings;
    return [one && standingView(one, standings).reason, waitingReasons(reached, standings)];
  };
  assert.deepEqual(await told({ registryVersion: 2n, registryHash: 'ff'.repeat(32) }), [null, []]);
  const [reason, reasons] = await told({ registryHash: 'ff'.repeat(32) });
  assert.match(reason ?? '', /another one of the same version/u);
  assert.deepEqual(reasons, [`Vault signer 2: ${reason}`]);
});
