import * as contracts from '@bulkhead/contracts';
import type { Artifact } from '@bulkhead/contracts';
import { encodeAbiParameters, encodeDeployData, encodeFunctionData, keccak256, pad, toHex, zeroAddress } from 'viem';
import type { Abi, Hex } from 'viem';
import type { GasChain, Operation, Sent } from './gas-chain.ts';

const day = 86_400n;
/** Kind 1, 100 hundredths of a percent a year, then the seven delays. */
const terms = [day, 2n * day, 7n * day, 14n * day, 21n * day, 90n * day, 3n * day].reduce(
  (word, delay, index) => word | (delay << BigInt(192 - 32 * index)),
  (1n << 240n) | (100n << 224n),
);
const ether = 10n ** 18n;

/** Ten payees that exist, the same for both. */
export const payees: readonly Hex[] = Array.from({ length: 10 }, (_, index) =>
  pad(toHex(0xdd00 + index), { size: 20 }),
);

export function bytesOf(artifact: Artifact, args: readonly unknown[] = []): Hex {
  const abi: Abi = artifact.abi;
  return args.length === 0 ? artifact.bytecode : encodeDeployData({ abi, bytecode: artifact.bytecode, args });
}

export function callOf(artifact: Artifact, functionName: string, args: readonly unknown[]): Hex {
  const abi: Abi = artifact.abi;
  return encodeFunctionData({ abi, functionName, args });
}

/** A token that the payees hold already, and coin for them. */
export async function prepareToken(chain: GasChain): Promise<Hex> {
  const token = (await chain.send(undefined, bytesOf(contracts.demoToken))).created;
  for (const payee of payees) {
    await chain.endow(payee, 1n);
    await chain.send(token, callOf(contracts.demoToken, 'mint', [payee, 1n]));
  }
  return token;
}

/** A vault in daily use: its nonces and windows are written, what it pays exists. */
export async function measureVault(chain: GasChain): Promise<readonly Operation[]> {
  const token = await prepareToken(chain);
  const factory = (await chain.send(undefined, bytesOf(contracts.vaultFactory))).created;
  const members = chain.signers;
  const signerSet = (await chain.send(undefined, bytesOf(contracts.signerSet, [members, 2, Number(day)]))).created;
  const policy = {
    destinations: payees,
    limits: [zeroAddress, token].map((asset) => ({ token: asset, cap: 1_000n * ether })),
    unlisted: [],
  };
  const setting: Setting = { chain, factory, signerSet, token, policyHash: policyHashOf(policy) };
  const first = configOf(setting, 1n);
  const created = await chain.send(factory, callOf(contracts.vaultFactory, 'create', [first]));
  const many = Array.from({ length: 10 }, (_, index) => configOf(setting, 2n + BigInt(index)));
  const ten = await chain.send(factory, callOf(contracts.vaultFactory, 'createMany', [many]));
  const vault = await addressOf(setting, first);
  const opened = await chain.send(vault, callOf(contracts.clientVault, 'openPolicy', [first, policy]));
  await chain.endow(vault, 1_000n * ether);
  await chain.send(token, callOf(contracts.demoToken, 'mint', [vault, 1_000n * ether]));
  const pay = payer({ ...setting, vault, config: first });
  for (const asset of [zeroAddress, token]) await pay([asset]);
  return [
    named('create', created),
    named('create, one of ten', { ...ten, gas: Math.round(ten.gas / 10), gasLater: Math.round(ten.gasLater / 10) }),
    named('open the policy, ten destinations', opened),
    named('deposit ETH', await chain.send(vault, '0x', 1n)),
    named('pay ETH', await pay([zeroAddress])),
    named('pay ERC-20', await pay([token])),
    named('pay ten ETH', await pay(payees.map(() => zeroAddress))),
    named('pay ten ERC-20', await pay(payees.map(() => token))),
  ];
}

export function named(name: string, { gas, gasLater }: Sent): Operation {
  return { name, gas, gasLater };
}

type Setting = {
  readonly chain: GasChain;
  readonly factory: Hex;
  readonly signerSet: Hex;
  readonly token: Hex;
  readonly policyHash: Hex;
};

const policyType = {
  type: 'tuple',
  components: [
    { name: 'destinations', type: 'address[]' },
    ...['limits', 'unlisted'].map((name) => ({
      name,
      type: 'tuple[]',
      components: [
        { name: 'token', type: 'address' },
        { name: 'cap', type: 'uint104' },
      ],
    })),
  ],
};

function policyHashOf(policy: object): Hex {
  return keccak256(encodeAbiParameters([policyType], [policy]));
}

function configOf({ signerSet, policyHash }: Setting, client: bigint): Readonly<Record<string, unknown>> {
  return {
    // As random as a client's, so that its bytes cost as much.
    clientId: keccak256(toHex(client)),
    signerSet,
    feeReceiver: pad('0xfe', { size: 20 }),
    exitDestination: keccak256('0xe1').slice(0, 42),
    clientKey: keccak256('0xc1'),
    exitKey: keccak256('0xe2'),
    policyHash,
    terms,
  };
}

async function addressOf({ chain, factory }: Setting, config: Readonly<Record<string, unknown>>): Promise<Hex> {
  const create = contracts.vaultFactory.abi.find((entry) => entry.type === 'function' && entry.name === 'create');
  if (create?.type !== 'function') throw new Error('The factory has no create.');
  const hash = keccak256(encodeAbiParameters(create.inputs, [config]));
  const answer = await chain.ask(factory, callOf(contracts.vaultFactory, 'vaultAddress', [hash]));
  return `0x${answer.slice(-40)}`;
}

const paymentType = [
  { name: 'token', type: 'address' },
  { name: 'to', type: 'address' },
  { name: 'amount', type: 'uint256' },
];
const endType = [
  { name: 'nonce', type: 'uint256' },
  { name: 'deadline', type: 'uint64' },
];

/** Pays one wei of each asset to one payee after the other, with two signatures. */
function payer(
  at: Setting & { readonly vault: Hex; readonly config: object },
): (assets: readonly Hex[]) => Promise<Sent> {
  let nonce = 0n;
  const domain = { name: 'Bulkhead Vault', version: '1', chainId: 31_337, verifyingContract: at.vault };
  return async (assets) => {
    nonce += 1n;
    const payments = assets.map((token, index) => ({ token, to: payees[index] ?? zeroAddress, amount: 1n }));
    const end = { nonce, deadline: (await at.chain.now()) + day };
    const single = payments.length === 1;
    const message = single ? { ...payments[0], ...end } : { payments, ...end };
    const types = single
      ? { Withdrawal: [...paymentType, ...endType] }
      : { Payment: paymentType, WithdrawalBatch: [{ name: 'payments', type: 'Payment[]' }, ...endType] };
    const typed = { domain, types, primaryType: single ? 'Withdrawal' : 'WithdrawalBatch', message };
    const signatures = await at.chain.sign(typed);
    const data = callOf(contracts.clientVault, single ? 'pay' : 'payBatch', [at.config, message, signatures]);
    return await at.chain.send(at.vault, data);
  };
}
