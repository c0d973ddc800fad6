import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listText, nobleHashes, type RegistryItem } from '@bulkhead/authority';
import {
  type Address,
  type ChainId,
  houseGas,
  nativeAsset,
  parseChainId,
  parseCompartment,
  type SignRequest,
} from '@bulkhead/domain';
import { createKeyFile, deriveAddress } from '@bulkhead/keys';
import { createState } from '../src/core/index.ts';
import { checkConfiguration, type SignerConfigurationFile } from '../src/process/configuration.ts';
import { openKeys } from '../src/process/keys.ts';
import { type RunningSigner, type SignerOrder, startSigner } from '../src/process/launch.ts';

export const deployment = '00112233445566778899aabbccddeeff';
export const passphrase = 'correct-horse-battery-staple';
/** Entropy of the test's key file; a log must contain it in no form. */
export const entropy: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => (i * 37 + 11) % 256);
export const beneficiary = parseCompartment(100_007);

export const chain: ChainId = parseChainId('eip155:31337');
const ether = 10n ** 18n;
const day = 86_400n;

/** The same people in every signer of a test: their keys are made once. */
const robots = new Map<string, RegistryItem>();

function robot(id: string): RegistryItem {
  const known = robots.get(id);
  if (known !== undefined) return known;
  const made = newRobot(id);
  robots.set(id, made);
  return made;
}

function newRobot(id: string): RegistryItem {
  const { publicKey } = generateKeyPairSync('ed25519');
  const key = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');
  return {
    item: 'person',
    id,
    name: id,
    roles: ['approver', 'operational', 'root'],
    keys: [{ id: `${id}-key`, kind: 'ed25519', publicKey: key }],
  };
}

/** A development chain, its coin, the house's gas wallet, and one rule: gas may be granted without approval. */
function firstItems(): readonly RegistryItem[] {
  const asset = nativeAsset(chain);
  return [
    { item: 'chain', chain, development: true, feeMax: ether, feeWindowSeconds: day, feeWindowMax: 1_000n * ether },
    { item: 'asset', asset, symbol: 'ETH', decimals: 18, codeHash: '' },
    { item: 'wallet', compartment: houseGas, key: '0', tier: 'hot', purpose: 'gas' },
    robot('one'),
    robot('two'),
    {
      item: 'policy',
      coolingSeconds: 0n,
      operationalQuorum: 2,
      rootQuorum: 2,
      rules: [
        {
          kind: 'gas-grant',
          compartments: 'house',
          tier: 'hot',
          asset,
          amountMax: ether,
          approvals: 0,
          windowSeconds: day,
          windowMax: 1_000n * ether,
          destination: 'own',
        },
      ],
    },
  ];
}

export type Stage = AsyncDisposable & {
  readonly directory: string;
  readonly configuration: SignerConfigurationFile;
  /** With another configuration and, where the test is root, as another user. */
  start(change?: Partial<SignerConfigurationFile>, user?: SignerOrder['user']): Promise<RunningSigner>;
};

/** A folder with a key file and the state of a ceremony, for signers of a test. What is still running at the end is ended. */
export async function prepareStage(seed: Uint8Array = entropy): Promise<Stage> {
  const { directory, configuration } = await prepareFolder(seed);
  await openState(configuration);
  return stageOf(directory, configuration);
}

/** The same before its ceremony, for lists that need to know what keys there are. */
export async function prepareFolder(seed: Uint8Array): Promise<Pick<Stage, 'directory' | 'configuration'>> {
  const directory = mkdtempSync(join(tmpdir(), 'signer-'));
  const state = join(directory, 'state');
  mkdirSync(state, { mode: 0o700 });
  const secret = join(directory, 'passphrase');
  writeFileSync(secret, `${passphrase}\n`, { mode: 0o400 });
  const file = join(directory, 'keys.json');
  await createKeyFile({ path: file, passphrase, entropy: seed, cost: { log2N: 10, r: 8, p: 1 } });
  const configuration: SignerConfigurationFile = {
    format: 'bulkhead-signer-configuration-v1',
    development: true,
    state,
    socket: { path: join(directory, 'run', 'signer.sock') },
    tree: { driver: 'software', file, passphraseFile: secret },
    identities: [{ driver: 'software' }],
  };
  return { directory, configuration };
}

/** What a ceremony does at its end, with the keys of the configuration. */
export async function openState(
  configuration: SignerConfigurationFile,
  more: readonly RegistryItem[] = [],
): Promise<void> {
  await using keys = await openKeys(checkConfiguration(configuration));
  await createState({
    stateDirectory: configuration.state,
    identities: keys.identities,
    heads: keys.heads,
    hashes: nobleHashes,
    clock: { now: () => new Date() },
    genesis: { deployment, list: listText([...firstItems(), ...more]) },
  });
}

export function stageOf(directory: string, configuration: SignerConfigurationFile): Stage {
  const started: RunningSigner[] = [];
  return {
    directory,
    configuration,
    async start(change = {}, user) {
      const order = { directory, configuration: { ...configuration, ...change } };
      const running = await startSigner(user === undefined ? order : { ...order, user });
      started.push(running);
      return running;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(started.map((running) => running.stop()));
      chmodSync(directory, 0o700);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A grant of gas number `n`, with the nonce `n` unless another is given. */
export function gasGrant(xpub: string, n: number, nonce: number = n): SignRequest {
  const to = deriveAddress({ compartment: beneficiary, xpub }, 0);
  const amount = 1_000_000_000n + BigInt(n);
  return {
    intent: {
      kind: 'gas-grant',
      deployment,
      id: `gg_${n}`,
      compartment: houseGas,
      beneficiary,
      asset: nativeAsset(chain),
      to,
      amount,
      feeMax: ether / 1_000n,
    },
    evidence: { approvals: [] },
    key: { compartment: houseGas, index: 0 },
    unsigned: transfer({ nonce: BigInt(nonce), to, value: amount }),
  };
}

/** EIP-1559, 21,000 gas at 2 gwei. */
function transfer({ nonce, to, value }: { nonce: bigint; to: Address; value: bigint }): Uint8Array {
  const fields = [31_337n, nonce, 1_000_000_000n, 2_000_000_000n, 21_000n].map(integer);
  const address = Buffer.from(to.slice(2), 'hex');
  const list = Buffer.concat([...fields, text(address), integer(value), text(Buffer.alloc(0)), Buffer.of(0xc0)]);
  const head = list.length < 56 ? Buffer.of(0xc0 + list.length) : Buffer.of(0xf8, list.length);
  return new Uint8Array(Buffer.concat([Buffer.of(2), head, list]));
}

function integer(value: bigint): Buffer {
  if (value === 0n) return Buffer.of(0x80);
  const digits = value.toString(16);
  return text(Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex'));
}

function text(bytes: Buffer): Buffer {
  const [first] = bytes;
  if (bytes.length === 1 && first !== undefined && first < 0x80) return bytes;
  return Buffer.concat([Buffer.of(0x80 + bytes.length), bytes]);
}
