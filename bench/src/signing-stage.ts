import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listText, nobleHashes, type RegistryItem } from '@bulkhead/authority';
import {
  type Address,
  type ChainId,
  type Compartment,
  type KeyLabel,
  nativeAsset,
  parseAddress,
  parseChainId,
  parseCompartment,
  type SignRequest,
} from '@bulkhead/domain';
import { createTokenIdentity, type KeyDriver, openPkcs11Keys, openToken, type Token } from '@bulkhead/keys';
import { checkConfiguration, createState, openKeys, type SignerConfigurationFile } from '@bulkhead/signer';
import { encode, partsOf, passkey, robot, wallet } from '@bulkhead/signer/testing';

const deployment = 'be'.repeat(16);
const chain: ChainId = parseChainId('eip155:1');
const asset = nativeAsset(chain);
const compartment: Compartment = parseCompartment(100_000);
const client = 'cl_bench';
const destination: Address = parseAddress(`0x${'e1'.repeat(20)}`);
const key: KeyLabel = { compartment, label: 'treasury' };
const day = 86_400n;
const most = 10n ** 30n;
const pin = '27182818';
const library = '/usr/lib/softhsm/libsofthsm2.so';

const asks = robot('asks');
const first = passkey('first');
const second = passkey('second');
const third = wallet('third');

/**
 * Three people must approve each withdrawal; the limits are wide enough for any bench. Beside the client that withdraws, so many others
 * are enrolled, each with a compartment and a destination of its own; where there are any, withdrawals go to enrolled destinations only.
 */
function itemsWith(others: number): readonly RegistryItem[] {
  const enrolled = Array.from({ length: others }, (_, number): readonly RegistryItem[] => {
    const own = { client: `cl_other-${number}`, compartment: parseCompartment(compartment + 1 + number) };
    const address = parseAddress(`0x${(number + 1).toString(16).padStart(40, '0')}`);
    return [
      { item: 'client', ...own },
      { item: 'destination', ...own, chain, address, label: `exchange of ${own.client}` },
    ];
  }).flat();
  const label = 'exchange';
  if (others > 0) enrolled.push({ item: 'destination', client, compartment, chain, address: destination, label });
  return [...base(others > 0 ? 'enrolled' : 'any'), ...enrolled];
}

const base = (destinations: 'any' | 'enrolled'): readonly RegistryItem[] => [
  { item: 'chain', chain, development: false, feeMax: most, feeWindowSeconds: day, feeWindowMax: most },
  { item: 'asset', asset, symbol: 'ETH', decimals: 18, codeHash: '' },
  { item: 'wallet', compartment, key: key.label, tier: 'hot', purpose: 'treasury' },
  { item: 'client', client, compartment },
  { item: 'person', id: 'asks', name: 'asks', roles: ['operational', 'requester'], keys: [asks.key] },
  ...[first, second, third].map((approver, at): RegistryItem => {
    const id = ['first', 'second', 'third'][at] ?? '';
    return { item: 'person', id, name: id, roles: ['approver', 'operational', 'root'], keys: [approver.key] };
  }),
  {
    item: 'policy',
    coolingSeconds: 0n,
    operationalQuorum: 2,
    rootQuorum: 2,
    rules: [
      {
        kind: 'withdrawal',
        compartments: 'individual',
        tier: 'hot',
        asset,
        amountMax: most,
        approvals: 3,
        windowSeconds: day,
        windowMax: most,
        destination: destinations,
      },
    ],
  },
];

/** One withdrawal that an exchange of the client gets, asked for and approved by everybody: two passkeys and a wallet. */
export function approvedWithdrawal(number: number): SignRequest {
  const intent = {
    deployment,
    kind: 'withdrawal',
    id: `wd_bench-${number}`,
    compartment,
    client,
    asset,
    to: destination,
    amount: 1_000_000n + BigInt(number),
    feeMax: 1_000_000n,
    feePayer: 'client',
    expiresAt: 99_999_999_999n,
  } as const;
  const approvals = [first, second, third].map((approver) => approver.approve(intent));
  const unsigned = encode(partsOf({ ...intent, nonce: BigInt(number) }));
  return { intent, evidence: { request: asks.approve(intent), approvals }, key, unsigned };
}

export type SigningStage = AsyncDisposable & {
  readonly directory: string;
  readonly configuration: SignerConfigurationFile;
  /** The wallet's key once more, for bare signatures of the same module. */
  readonly bare: KeyDriver;
  readonly key: KeyLabel;
};

type TokenFile = NonNullable<SignerConfigurationFile['tokens']>[number];

/**
 * Two modules of SoftHSM, a wallet key and an identity key in the first, the head in both, and the state of a ceremony.
 *
 * @param others how many clients are enrolled besides the one that withdraws
 */
export async function prepareSigning({ others }: { readonly others: number }): Promise<SigningStage> {
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-bench-'));
  await using made = new AsyncDisposableStack();
  made.defer(() => rmSync(directory, { recursive: true, force: true }));
  const state = join(directory, 'state');
  mkdirSync(state, { mode: 0o700 });
  const main = makeToken(directory, 'hsm_slot_1');
  const tokens = [main, makeToken(directory, 'hsm_slot_2')];
  const bare = made.use(openPkcs11Keys(await open(main)));
  await bare.create(key);
  {
    await using token = await open({ ...main, library: copyOf(directory, 'identity') });
    await createTokenIdentity(token, 'identity');
  }
  const configuration: SignerConfigurationFile = {
    format: 'bulkhead-signer-configuration-v1',
    development: true,
    state,
    socket: { path: join(directory, 'run', 'signer.sock') },
    tokens,
    labelled: { driver: 'pkcs11-key', token: main.name },
    identities: [{ driver: 'pkcs11', token: main.name, label: 'identity' }],
  };
  {
    await using keys = await openKeys(
      checkConfiguration({
        ...configuration,
        tokens: tokens.map((token) => ({ ...token, library: copyOf(directory, `ceremony-${token.name}`) })),
      }),
    );
    await createState({
      stateDirectory: state,
      identities: keys.identities,
      heads: keys.heads,
      hashes: nobleHashes,
      clock: { now: () => new Date() },
      genesis: { deployment, list: listText(itemsWith(others)) },
    });
  }
  const rest = made.move();
  return { directory, configuration, bare, key, [Symbol.asyncDispose]: async () => rest.disposeAsync() };
}

function makeToken(directory: string, name: string): TokenFile {
  const folder = join(directory, name);
  mkdirSync(join(folder, 'tokens'), { recursive: true, mode: 0o700 });
  const configuration = join(folder, 'softhsm2.conf');
  writeFileSync(
    configuration,
    `directories.tokendir = ${folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  const environment = { SOFTHSM2_CONF: configuration };
  const arguments_ = ['--init-token', '--free', '--label', name, '--so-pin', '16180339', '--pin', pin];
  execFileSync('softhsm2-util', arguments_, { env: { ...process.env, ...environment }, stdio: 'ignore' });
  writeFileSync(join(folder, 'pin'), `${pin}\n`, { mode: 0o400 });
  return { name, library: copyOf(folder, 'module'), label: name, pinFile: join(folder, 'pin'), environment };
}

/** A copy of the library is a module of its own. */
function copyOf(folder: string, name: string): string {
  const copy = join(folder, `${name}.so`);
  copyFileSync(library, copy);
  return copy;
}

async function open({ library: path, label, environment = {} }: TokenFile): Promise<Token> {
  return openToken({ library: path, label, environment, pin: () => Buffer.from(pin) });
}
