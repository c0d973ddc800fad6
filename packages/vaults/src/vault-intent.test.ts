import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { chainNumber, chainOf, isVaultMatter, membersOf, parseIntent, type VaultIntent } from '@bulkhead/domain';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { hashTypedData } from 'viem';
import { parseVaultCall } from './vault-call.ts';
import type { VaultConfig } from './vault-config.ts';
import {
  messagePreimage,
  vaultCallMessage,
  vaultIntentCall,
  vaultIntentDigest,
  vaultIntentMessage,
  vaultIntentPreimage,
} from './vault-intent.ts';
import { vaultDomain } from './vault-message.ts';
import { hexOf } from './word.ts';

const hashes = { keccak256: keccak_256 };
const { vectors }: { readonly vectors: readonly { readonly canonical: string }[] } = JSON.parse(
  readFileSync(new URL('../../../spec/vectors/intent.json', import.meta.url), 'utf8'),
);
const intents = vectors.map(({ canonical }) => parseIntent(Buffer.from(canonical))).filter(isVaultMatter);

type Typed = {
  readonly name: string;
  readonly struct: string;
  readonly message: Readonly<Record<string, unknown>>;
};

const payment = 'address token,address to,uint256 amount';
const bounds = 'uint256 nonce,uint64 deadline';
const zero = `0x${'0'.repeat(40)}`;

/** What the contracts check, written down a second time: by their sources, for another implementation of EIP-712. */
function typedOf(intent: VaultIntent): Typed {
  const bound = 'vaultNonce' in intent ? { nonce: intent.vaultNonce, deadline: intent.deadline } : {};
  const token = 'asset' in intent ? (/erc20:(.*)$/u.exec(intent.asset)?.[1] ?? zero) : zero;
  switch (intent.kind) {
    case 'vault-withdrawal': {
      const name = intent.authorisation === 'one-off' ? 'OneOff' : 'Withdrawal';
      const { to, amount } = intent;
      return { name, struct: `${payment},${bounds}`, message: { token, to, amount, ...bound } };
    }
    case 'vault-fee':
      return {
        name: 'Fee',
        struct: `address token,uint256 amount,${bounds}`,
        message: { token, amount: intent.amount, ...bound },
      };
    case 'vault-invalidation':
      return { name: 'Invalidation', struct: bounds, message: bound };
    case 'vault-pause':
      return { name: 'Pause', struct: `uint8 side,${bounds}`, message: { side: 0, ...bound } };
    case 'vault-limit-lowering':
      return {
        name: 'LimitLowering',
        struct: `uint8 side,address token,uint104 cap,bool unlisted,${bounds}`,
        message: { side: 0, token, cap: intent.cap, unlisted: intent.window === 'unlisted', ...bound },
      };
    case 'vault-destination-removal':
      return {
        name: 'DestinationRemoval',
        struct: `uint8 side,address to,${bounds}`,
        message: { side: 0, to: intent.to, ...bound },
      };
    case 'vault-key-recovery':
      return {
        name: 'KeyRotation',
        struct: `uint8 side,uint8 role,bytes32 newKey,${bounds}`,
        message: { side: 0, role: intent.role === 'client' ? 1 : 2, newKey: `0x${intent.newKey}`, ...bound },
      };
    case 'signer-set-change':
      return {
        name: 'SetChange',
        struct: 'uint256 number,address[] members,uint8 threshold',
        message: { number: intent.number, members: membersOf(intent), threshold: Number(intent.threshold) },
      };
    case 'signer-set-heartbeat': {
      const { blockNumber, blockHash, statement } = intent;
      return {
        name: 'Heartbeat',
        struct: 'uint256 blockNumber,bytes32 blockHash,bytes32 statement',
        message: { blockNumber, blockHash: `0x${blockHash}`, statement: `0x${statement}` },
      };
    }
  }
}

function digestOfAnother(intent: VaultIntent): string {
  const { name, struct, message } = typedOf(intent);
  const fields = struct.split(',').map((field) => {
    const [type = '', fieldName = ''] = field.split(' ');
    return { name: fieldName, type };
  });
  const chain = 'chain' in intent ? intent.chain : 'asset' in intent ? chainOf(intent.asset) : undefined;
  const domain = {
    name: 'vault' in intent ? 'Bulkhead Vault' : 'Bulkhead Signer Set',
    version: '1',
    verifyingContract: 'vault' in intent ? intent.vault : intent.signerSet,
    ...(chain === undefined ? {} : { chainId: chainNumber(chain) }),
  };
  return hashTypedData({ domain, types: { [name]: fields }, primaryType: name, message: { ...message } });
}

test('what a quorum signs for an intent is what the contracts check, by another implementation', () => {
  assert.equal(new Set(intents.map(({ kind }) => kind)).size, 9);
  for (const intent of intents) {
    assert.equal(hexOf(vaultIntentDigest(hashes, intent)), digestOfAnother(intent), intent.kind);
    assert.deepEqual(keccak_256(vaultIntentPreimage(hashes, intent)), vaultIntentDigest(hashes, intent));
  }
});

test('intents that differ where the chain sees it have other digests, and those that differ elsewhere have the same', () => {
  const [intent] = intents.filter(({ kind }) => kind === 'vault-withdrawal');
  assert.ok(intent?.kind === 'vault-withdrawal');
  const digest = (own: Partial<typeof intent>): string => hexOf(vaultIntentDigest(hashes, { ...intent, ...own }));
  const { vaultNonce, deadline, amount, vault, to } = intent;
  const others = [
    { vaultNonce: vaultNonce + 1n },
    { deadline: deadline + 1n },
    { amount: amount + 1n },
    { to: vault },
    { vault: to },
    { authorisation: 'one-off' as const },
  ];
  const digests = [digest({}), ...others.map(digest)];
  assert.equal(new Set(digests).size, digests.length);
  assert.equal(digest({ authorisation: 'unlisted' }), digest({}), 'the vault decides by its list');
  assert.equal(digest({ id: 'wd_other', expiresAt: 1n }), digest({}));
});

const word = (byte: string): `0x${string}` => `0x${byte.repeat(32)}`;

test('the call of an intent has its message and the configuration, and reads back as what was signed', () => {
  for (const intent of intents) {
    if (!('vault' in intent)) continue;
    const config = configOf(intent);
    const parts = { config, signatures: `0x${'11'.repeat(130)}` } as const;
    const oneOff = intent.kind === 'vault-withdrawal' && intent.authorisation === 'one-off';
    if (oneOff) assert.throws(() => vaultIntentCall(hashes, intent, parts), { code: 'vault/signature' });
    const call = vaultIntentCall(hashes, intent, { ...parts, ...(oneOff ? { clientSignature: '0x22' } : {}) });
    const asked = parseVaultCall(hashes, call);
    assert.deepEqual(asked.arguments.config, config);
    const signed = vaultCallMessage(asked);
    assert.deepEqual(signed, vaultIntentMessage(intent));
    assert.ok(signed !== undefined);
    const chain = 'chain' in intent ? intent.chain : chainOf(intent.asset);
    const preimage = messagePreimage(hashes, vaultDomain(chain, intent.vault), signed);
    assert.deepEqual(preimage, vaultIntentPreimage(hashes, intent));
  }
});

function configOf({ vault }: { readonly vault: VaultConfig['signerSet'] }): VaultConfig {
  return {
    clientId: word('01'),
    signerSet: vault,
    feeReceiver: vault,
    exitDestination: vault,
    clientKey: word('02'),
    exitKey: word('03'),
    policyHash: word('04'),
    kind: 'individual',
    feeBpsYear: 1n,
    windowSeconds: 2n,
    changeDelay: 3n,
    recoveryDelay: 4n,
    exitDelay: 5n,
    exitChangeDelay: 6n,
    heartbeatPeriod: 7n,
    pauseSeconds: 8n,
  };
}
