import { secp256k1 } from '@noble/curves/secp256k1.js';
import {
  chainNumber,
  chainOf,
  contractOf,
  CustodyError,
  invariant,
  isHash,
  nativeAsset,
  parseAddress,
  parseChainId,
  tokenAsset,
} from '@bulkhead/domain';
import type { Address, AssetId, ChainId, FeeTerms, Hash, Signature, TransactionPlan } from '@bulkhead/domain';
import {
  bytesToHex,
  concatHex,
  hexToBytes,
  keccak256,
  numberToHex,
  parseTransaction,
  serializeTransaction,
  toRlp,
} from 'viem';
import type { TransactionSerializableEIP1559, TransactionSerializableEIP7702 } from 'viem';

/** `transfer(address,uint256)` of ERC-20: selector, padded address, amount. */
const transferCall = /^0xa9059cbb0{24}([0-9a-f]{40})([0-9a-f]{64})$/u;

/** Longest unsigned transaction we make: the first payment of a vault, with its creation and its policy, stays far below. */
export const unsignedBytesMax = 16_384;

/** What the bytes of an unsigned transaction do. It does nothing else. */
export type TransactionReading = {
  readonly chain: ChainId;
  readonly nonce: bigint;
  /** The token contract for a token transfer, the recipient for native coin. */
  readonly callee: Address;
  /** Native coin moved, in wei; zero for a token transfer. */
  readonly value: bigint;
  readonly asset: AssetId;
  /** Who receives the asset, and how much of it. */
  readonly to: Address;
  readonly amount: bigint;
  readonly terms: FeeTerms;
};

/** What signing and broadcasting need: bytes, their hash, and who signed. */
export type SignedTransaction = { readonly raw: Uint8Array; readonly hash: Hash; readonly from: Address };

/** The calldata of an ERC-20 transfer. */
export function transferCalldata(to: Address, amount: bigint): `0x${string}` {
  return `0xa9059cbb${to.slice(2).padStart(64, '0')}${amount.toString(16).padStart(64, '0')}`;
}

/** What the plan calls: callee, native value and calldata. */
export function callOf(plan: TransactionPlan): { to: Address; value: bigint; data: `0x${string}` } {
  const contract = contractOf(plan.asset);
  if (plan.data !== undefined) {
    invariant(contract === undefined && plan.amount === 0n, 'A call of a contract pays nothing.', { to: plan.to });
    return { to: plan.to, value: 0n, data: plan.data };
  }
  if (contract === undefined) return { to: plan.to, value: plan.amount, data: '0x' };
  return { to: contract, value: 0n, data: transferCalldata(plan.to, plan.amount) };
}

/**
 * Canonical unsigned transaction: `0x02` (EIP-1559), or `0x04` (EIP-7702) where it carries authorisations, and the RLP list without
 * signature. Same input, same bytes.
 */
export function buildTransaction(plan: TransactionPlan, terms: FeeTerms, nonce: bigint): Uint8Array {
  invariant(nonce >= 0n && nonce <= BigInt(Number.MAX_SAFE_INTEGER), `${nonce} is not a nonce.`);
  invariant(
    terms.maxPriorityFeePerGas <= terms.maxFeePerGas,
    'The priority fee is part of the fee and cannot be above it.',
  );
  const { to, value, data } = callOf(plan);
  const chainId = chainNumber(chainOf(plan.asset));
  const common = {
    chainId,
    nonce: Number(nonce),
    to,
    value,
    data,
    gas: terms.gasLimit,
    maxFeePerGas: terms.maxFeePerGas,
    maxPriorityFeePerGas: terms.maxPriorityFeePerGas,
  };
  const { authorizations = [] } = plan;
  const transaction: TransactionSerializableEIP1559 | TransactionSerializableEIP7702 =
    authorizations.length === 0
      ? { type: 'eip1559', ...common }
      : {
          type: 'eip7702',
          ...common,
          authorizationList: authorizations.map(({ delegate, nonce: taken, signature }) => ({
            address: delegate,
            chainId,
            nonce: Number(taken),
            r: word(signature.r),
            s: word(signature.s),
            yParity: signature.yParity,
          })),
        };
  return hexToBytes(serializeTransaction(transaction));
}

/** `0x05 || rlp([chainId, address, nonce])` (EIP-7702): what an address signs to take the code of a delegate. */
export function buildAuthorization(chain: ChainId, delegate: Address, nonce: bigint): Uint8Array {
  const fields = [quantity(BigInt(chainNumber(chain))), delegate, quantity(nonce)];
  return hexToBytes(concatHex(['0x05', toRlp(fields)]));
}

function quantity(value: bigint): `0x${string}` {
  return value === 0n ? '0x' : numberToHex(value);
}

/** Who signed the bytes of {@link buildAuthorization}. @throws CustodyError `signer/malformed-transaction` */
export function authorizedBy(authorization: Uint8Array, signature: Signature): Address {
  return signerOf(authorization, signature);
}

/**
 * Reads an unsigned transaction of exactly the kinds that {@link buildTransaction} makes. Anything else is refused:
 * another type, an access list, a signature, calldata that is not one ERC-20 transfer, a token call that also pays coin,
 * and bytes that are not the canonical form of what they say.
 *
 * @throws CustodyError `signer/malformed-transaction`
 */
export function readTransaction(unsigned: Uint8Array): TransactionReading {
  const transaction = parseUnsigned(unsigned);
  if (transaction.type === 'eip7702') throw malformed('it carries authorisations');
  const { to, value = 0n, gas, nonce = 0, maxFeePerGas = 0n, maxPriorityFeePerGas = 0n } = transaction;
  if (to === undefined || to === null) throw malformed('it creates a contract');
  if (gas === undefined) throw malformed('it has no gas limit');
  const chain = parseChainId(`eip155:${transaction.chainId}`);
  const callee = parseAddress(to.toLowerCase());
  const data = transaction.data ?? '0x';
  const base = {
    chain,
    nonce: BigInt(nonce),
    callee,
    value,
    terms: { gasLimit: gas, maxFeePerGas, maxPriorityFeePerGas },
  };
  if (data === '0x') return { ...base, asset: nativeAsset(chain), to: callee, amount: value };
  const [, digits, amount] = transferCall.exec(data) ?? [];
  if (digits === undefined || amount === undefined) throw malformed('its calldata is not one ERC-20 transfer');
  if (value !== 0n) throw malformed('it pays coin to a token contract');
  return { ...base, asset: tokenAsset(chain, callee), to: parseAddress(`0x${digits}`), amount: BigInt(`0x${amount}`) };
}

/**
 * Joins an unsigned transaction with its signature.
 *
 * @throws CustodyError `signer/malformed-transaction` when the bytes are no transaction of ours or the signature is none
 */
export function assembleTransaction(unsigned: Uint8Array, signature: Signature): SignedTransaction {
  const transaction = parseUnsigned(unsigned);
  const { r, s, yParity } = signature;
  const from = signerOf(unsigned, signature);
  const raw = hexToBytes(serializeTransaction(transaction, { r: word(r), s: word(s), yParity }));
  const hash = keccak256(raw);
  invariant(isHash(hash), 'A Keccak-256 digest is a hash.');
  return { raw, hash, from };
}

type OurTransaction = TransactionSerializableEIP1559 | TransactionSerializableEIP7702;

function parseUnsigned(unsigned: Uint8Array): OurTransaction {
  const isOurs = unsigned[0] === 2 || unsigned[0] === 4;
  if (!isOurs || unsigned.length > unsignedBytesMax) throw malformed('it is not of the type of EIP-1559 or EIP-7702');
  let transaction: OurTransaction;
  try {
    const parsed = parseTransaction(bytesToHex(unsigned));
    if (parsed.type !== 'eip1559' && parsed.type !== 'eip7702') throw malformed(`its type is ${String(parsed.type)}`);
    transaction = parsed;
  } catch (error) {
    if (error instanceof CustodyError) throw error;
    throw malformed('it does not decode', error);
  }
  if (transaction.r !== undefined || transaction.s !== undefined) throw malformed('it is signed already');
  if ((transaction.accessList ?? []).length > 0) throw malformed('it has an access list');
  if (serializeTransaction(transaction) !== bytesToHex(unsigned)) throw malformed('it is not in canonical form');
  return transaction;
}

/** Recovers who signed. Only the lower half of `s` counts (EIP-2): the upper one is a second form of the same signature. */
function signerOf(unsigned: Uint8Array, signature: Signature): Address {
  try {
    const parsed = new secp256k1.Signature(signature.r, signature.s, signature.yParity);
    if (parsed.hasHighS()) throw malformed('its signature has s in the upper half');
    const key = parsed.recoverPublicKey(hexToBytes(keccak256(unsigned))).toBytes(false);
    return parseAddress(`0x${keccak256(key.subarray(1)).slice(-40)}`);
  } catch (error) {
    if (error instanceof CustodyError) throw error;
    throw malformed('its signature is none', error);
  }
}

function word(value: bigint): `0x${string}` {
  return `0x${value.toString(16).padStart(64, '0')}`;
}

function malformed(why: string, cause?: unknown): CustodyError {
  return new CustodyError(
    'signer/malformed-transaction',
    `The bytes are not an unsigned transaction that Bulkhead makes: ${why}.`,
    cause === undefined ? {} : { cause },
  );
}
