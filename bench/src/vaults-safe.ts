import * as contracts from '@bulkhead/contracts';
import { concatHex, encodeFunctionData, encodePacked, parseAbi, size, zeroAddress } from 'viem';
import type { Hex } from 'viem';
import type { GasChain, Operation, Sent } from './gas-chain.ts';
import { callOf, named, payees, prepareToken } from './vaults-own.ts';

const abi = parseAbi([
  'function setup(address[] owners,uint256 threshold,address to,bytes data,address fallbackHandler,address paymentToken,uint256 payment,address paymentReceiver)',
  'function createProxyWithNonce(address singleton,bytes initializer,uint256 saltNonce) returns (address)',
  'function execTransaction(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,address gasToken,address refundReceiver,bytes signatures) payable returns (bool)',
  'function nonce() view returns (uint256)',
  'function multiSend(bytes transactions) payable',
]);

/** How an installed file is read: `require` of the package that has the artifacts. */
type Load = (path: string) => unknown;

const artifacts = '@safe-global/safe-smart-account/build/artifacts/contracts';
const ether = 10n ** 18n;

/** The same as `measureVault`, by a Safe of the same three owners: no destinations, no limits, no exit. */
export async function measureSafe(chain: GasChain, load: Load): Promise<readonly Operation[]> {
  const token = await prepareToken(chain);
  const deploy = async (path: string): Promise<Hex> =>
    (await chain.send(undefined, bytecodeOf(load(`${artifacts}/${path}.json`)))).created;
  const singleton = await deploy('Safe.sol/Safe');
  const factory = await deploy('proxies/SafeProxyFactory.sol/SafeProxyFactory');
  const multiSend = await deploy('libraries/MultiSendCallOnly.sol/MultiSendCallOnly');
  const owners = chain.signers;
  const setup = encodeFunctionData({
    abi,
    functionName: 'setup',
    args: [owners, 2n, zeroAddress, '0x', zeroAddress, zeroAddress, 0n, zeroAddress],
  });
  const create = encodeFunctionData({ abi, functionName: 'createProxyWithNonce', args: [singleton, setup, 1n] });
  const safe: Hex = `0x${(await chain.ask(factory, create)).slice(-40)}`;
  const created = await chain.send(factory, create);
  await chain.endow(safe, 1_000n * ether);
  await chain.send(token, callOf(contracts.demoToken, 'mint', [safe, 1_000n * ether]));
  const one = (asset: Hex, to: Hex): Inner =>
    asset === zeroAddress
      ? { to, value: 1n, data: '0x' }
      : { to: asset, value: 0n, data: callOf(contracts.demoToken, 'transfer', [to, 1n]) };
  const pay = async (assets: readonly Hex[]): Promise<Sent> => {
    const inner = assets.map((asset, index) => one(asset, payees[index] ?? zeroAddress));
    return await execute({ chain, safe, inner, multiSend });
  };
  for (const asset of [zeroAddress, token]) await pay([asset]);
  return [
    named('create', created),
    // There is no call that makes many.
    named('create, one of ten', created),
    named('deposit ETH', await chain.send(safe, '0x', 1n)),
    named('pay ETH', await pay([zeroAddress])),
    named('pay ERC-20', await pay([token])),
    named('pay ten ETH', await pay(payees.map(() => zeroAddress))),
    named('pay ten ERC-20', await pay(payees.map(() => token))),
  ];
}

type Inner = { readonly to: Hex; readonly value: bigint; readonly data: Hex };

async function execute(at: {
  readonly chain: GasChain;
  readonly safe: Hex;
  readonly inner: readonly Inner[];
  readonly multiSend: Hex;
}): Promise<Sent> {
  const nonce = BigInt(await at.chain.ask(at.safe, encodeFunctionData({ abi, functionName: 'nonce' })));
  const [only, ...more] = at.inner;
  if (only === undefined) throw new Error('There is nothing to pay.');
  const call =
    more.length === 0
      ? { ...only, operation: 0 }
      : { to: at.multiSend, value: 0n, data: together(at.inner), operation: 1 };
  const message = {
    ...call,
    safeTxGas: 0n,
    baseGas: 0n,
    gasPrice: 0n,
    gasToken: zeroAddress,
    refundReceiver: zeroAddress,
    nonce,
  };
  const typed = {
    domain: { chainId: 31_337, verifyingContract: at.safe },
    types: { SafeTx: transactionType },
    primaryType: 'SafeTx',
    message,
  };
  const signatures = await at.chain.sign(typed);
  const { to, value, data, operation } = call;
  return await at.chain.send(
    at.safe,
    encodeFunctionData({
      abi,
      functionName: 'execTransaction',
      args: [to, value, data, operation, 0n, 0n, 0n, zeroAddress, zeroAddress, signatures],
    }),
  );
}

const transactionType = [
  { name: 'to', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'data', type: 'bytes' },
  { name: 'operation', type: 'uint8' },
  ...['safeTxGas', 'baseGas', 'gasPrice'].map((name) => ({ name, type: 'uint256' })),
  ...['gasToken', 'refundReceiver'].map((name) => ({ name, type: 'address' })),
  { name: 'nonce', type: 'uint256' },
];

function together(inner: readonly Inner[]): Hex {
  const packed = inner.map(({ to, value, data }) =>
    encodePacked(['uint8', 'address', 'uint256', 'uint256', 'bytes'], [0, to, value, BigInt(size(data)), data]),
  );
  return encodeFunctionData({ abi, functionName: 'multiSend', args: [concatHex(packed)] });
}

function bytecodeOf(artifact: unknown): Hex {
  const code =
    typeof artifact === 'object' && artifact !== null && 'bytecode' in artifact ? String(artifact.bytecode) : '';
  if (!/^0x[0-9a-f]+$/u.test(code)) throw new Error('An artifact of Safe has no bytecode: run "npm ci".');
  return `0x${code.slice(2)}`;
}
