import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAnvil } from '@bulkhead/chain-evm/anvil';
import { type DevelopmentNode, openDevelopmentNode } from '@bulkhead/chain-evm/testing';
import { demoToken, signerSet as signerSetArtifact, sweepDelegate, vaultFactory } from '@bulkhead/contracts';
import { type Address, type ChainId, parseAddress, parseChainId } from '@bulkhead/domain';
import { sha256 } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { privateKeyToAccount, sign } from 'viem/accounts';
import {
  accountSignature,
  buildAddresses,
  bytesOf,
  type ClientKey,
  type ContractLog,
  type Hex,
  hexOf,
  type Keccak,
  keyId,
  passkeySignature,
  type PasskeyPoint,
  parseVaultRefusal,
  pointOfBytes,
  quorumSignatures,
  signerSetCreationCode,
  standardAddress,
  standardDeployment,
  standardFactory,
  type VaultRefusal,
} from '../index.ts';

export const hashes: Keccak = { keccak256: keccak_256 };
export const chain: ChainId = parseChainId('eip155:31337');

/** A key of secp256k1 in software, or a passkey in software: it signs 32 bytes as contracts want them. */
export type SoftwareKey = {
  readonly id: Hex;
  readonly key: ClientKey;
  sign(digest: Uint8Array): Promise<Hex>;
};
export type AccountKey = SoftwareKey & { readonly address: Address };

export function accountKey(number: number): AccountKey {
  const privateKey = `0x${number.toString(16).padStart(64, '0')}` as const;
  const address = parseAddress(privateKeyToAccount(privateKey).address);
  const key: ClientKey = { kind: 'secp256k1', address };
  return {
    id: keyId(hashes, key),
    key,
    address,
    sign: async (digest) => {
      const { r, s, yParity } = await sign({ hash: hexOf(digest), privateKey });
      return accountSignature({ r: BigInt(r), s: BigInt(s), yParity: yParity === 1 ? 1 : 0 });
    },
  };
}

/** An authenticator in software, that verified its user. */
export function passkey(): SoftwareKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const point = pointOfBytes(Uint8Array.from(der.subarray(-65)));
  const key: ClientKey = { kind: 'passkey', point };
  return { id: keyId(hashes, key), key, sign: async (digest) => assertionOf({ privateKey, point }, digest) };
}

async function assertionOf(
  { privateKey, point }: { readonly privateKey: KeyObject; readonly point: PasskeyPoint },
  digest: Uint8Array,
): Promise<Hex> {
  const challenge = Buffer.from(digest).toString('base64url');
  const client = utf8ToBytes(
    `{"type":"webauthn.get","challenge":"${challenge}","origin":"https://approve.example","crossOrigin":false}`,
  );
  // Relying party, the flags "present" and "verified", and a count.
  const authenticator = concatBytes(
    sha256(utf8ToBytes('approve.example')),
    Uint8Array.of(5),
    Uint8Array.of(0, 0, 0, 1),
  );
  const signature = createSign('SHA256')
    .update(concatBytes(authenticator, sha256(client)))
    .sign(privateKey);
  return await Promise.resolve(
    passkeySignature(point, {
      authenticatorData: hexOf(authenticator),
      clientDataJson: hexOf(client),
      signature: hexOf(Uint8Array.from(signature)),
    }),
  );
}

export type Sent = {
  readonly succeeded: boolean;
  readonly time: bigint;
  readonly logs: readonly (ContractLog & { readonly address: Address })[];
  /** Why it reverted, in the words of a vault; undefined if it did not, or for another reason. */
  readonly refusal: VaultRefusal | undefined;
  /** What came back from a call that reverted. */
  readonly output: Hex;
};

export type VaultChain = AsyncDisposable & {
  readonly url: string;
  readonly node: DevelopmentNode;
  readonly bank: Address;
  readonly factory: Address;
  readonly vaultImplementation: Address;
  readonly forwarderImplementation: Address;
  readonly signerSet: Address;
  readonly members: readonly AccountKey[];
  readonly token: Address;
  /** Creation code of what addresses with keys delegate to. */
  readonly delegateCode: Hex;
  /** Of two of the three members. */
  quorum(digest: Uint8Array): Promise<Hex>;
  /** Sends call data in a block of this time, or of any. */
  send(to: Address, data: Hex, options?: { readonly time?: bigint; readonly value?: bigint }): Promise<Sent>;
  ask(to: Address, data: Hex): Promise<Hex>;
};

export const setTerms: { readonly threshold: bigint; readonly changeDelay: bigint } = {
  threshold: 2n,
  changeDelay: 60n,
};

/**
 * A node with factory, a signer set of three, and a token of which everybody has some.
 *
 * @param hardfork `prague` for one without the precompile that verifies passkeys
 */
export async function startVaultChain(hardfork: 'prague' | 'osaka' = 'osaka'): Promise<VaultChain> {
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-vaults-'));
  const anvil = await startAnvil({ directory, port: 0, chainNumber: 31_337, hardfork });
  const node = openDevelopmentNode(anvil.url);
  const [bank] = await node.accounts();
  if (bank === undefined) throw new Error('The node has no account.');
  const members = [accountKey(0xa1), accountKey(0xa2), accountKey(0xa3)].toSorted((a, b) =>
    a.address < b.address ? -1 : 1,
  );
  const factoryCode = bytesOf(vaultFactory.bytecode);
  const build = buildAddresses(hashes, factoryCode);
  const setCode = signerSetCreationCode(bytesOf(signerSetArtifact.bytecode), {
    ...setTerms,
    members: members.map(({ address }) => address),
  });
  for (const code of [factoryCode, setCode]) {
    const receipt = await node.send({
      from: bank,
      to: standardFactory,
      data: standardDeployment(code),
      gas: 15_000_000n,
    });
    if (!receipt.succeeded) throw new Error('The standard factory refused.');
  }
  const token = await node.deploy(bank, demoToken.bytecode);
  return {
    delegateCode: sweepDelegate.bytecode,
    ...build,
    url: anvil.url,
    node,
    bank,
    signerSet: standardAddress(hashes, setCode),
    members,
    token,
    quorum: async (digest) => {
      const signatures = new Map<Address, Hex>();
      for (const member of members.slice(0, 2)) signatures.set(member.address, await member.sign(digest));
      return quorumSignatures(signatures);
    },
    send: async (to, data, options = {}) => await sent(node, { from: bank, to, data }, options),
    ask: async (to, data) => String(await node.call('eth_call', { to, data }, 'latest')) as Hex,
    [Symbol.asyncDispose]: async () => {
      await anvil.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

type Receipt = { readonly status: Hex; readonly blockNumber: Hex; readonly logs: Sent['logs'] };

async function sent(
  node: DevelopmentNode,
  { from, to, data }: { readonly from: Address; readonly to: Address; readonly data: Hex },
  { time, value = 0n }: { readonly time?: bigint; readonly value?: bigint },
): Promise<Sent> {
  if (time !== undefined) await node.call('evm_setNextBlockTimestamp', hexNumber(time));
  const fields = { from, to, data, value: hexNumber(value), gas: hexNumber(3_000_000n) };
  const hash = String(await node.call('eth_sendTransaction', fields));
  const { status, blockNumber, logs } = await receiptOf(node, hash);
  const succeeded = status === '0x1';
  const trace = succeeded
    ? undefined
    : ((await node.call('debug_traceTransaction', hash, { tracer: 'callTracer' })) as { output?: Hex });
  const output = trace?.output ?? '0x';
  return {
    succeeded,
    time: time ?? (await timeOf(node, blockNumber)),
    logs,
    refusal: succeeded ? undefined : parseVaultRefusal(hashes, output),
    output,
  };
}

/** Asks again at once: thousands of these are waited for, one after the other. */
async function receiptOf(node: DevelopmentNode, hash: string): Promise<Receipt> {
  const end = Date.now() + 10_000;
  while (Date.now() < end) {
    const receipt = await node.call('eth_getTransactionReceipt', hash);
    if (receipt !== null) return receipt as Receipt;
  }
  throw new Error(`Transaction ${hash} is in no block.`);
}

async function timeOf(node: DevelopmentNode, block: Hex): Promise<bigint> {
  return BigInt(((await node.call('eth_getBlockByNumber', block, false)) as { timestamp: Hex }).timestamp);
}

function hexNumber(value: bigint): Hex {
  return `0x${value.toString(16)}`;
}
