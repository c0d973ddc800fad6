import {
  type Address,
  type ChainId,
  contractOf,
  CustodyError,
  type FeeTerms,
  type Hash,
  parseAddress,
  parseAmount,
  parseChainId,
  type Signature,
  type SignedAuthorization,
  type TransactionPlan,
} from '@bulkhead/domain';
import { readAuthorizations, writeAuthorizations } from './authorization.ts';
import { hashOf, recoverSigner } from './key.ts';

/** A transaction as the fake chain runs it. `data` is plain text: {@link tokenCall}, {@link payoutCall} or empty; for a program it is calldata in hex. */
export type FakeTransaction = FeeTerms & {
  readonly chain: ChainId;
  readonly nonce: bigint;
  readonly to: Address;
  readonly value: bigint;
  readonly data: string;
  readonly authorizations: readonly SignedAuthorization[];
};

export type SignedTransaction = {
  readonly transaction: FakeTransaction;
  readonly raw: Uint8Array;
  readonly hash: Hash;
  readonly from: Address;
};

/** One inner payment of a contract call. One that reverts moves nothing and leaves the others as they are. */
export type Payout = { readonly to: Address; readonly amount: bigint; readonly reverts?: boolean };

const header = 'fake-transaction-v1\n';
const signatureLength = 64 + 64 + 1;
/** A call that fails whatever it is sent to. */
export const revertCall: string = 'revert';

export function tokenCall(to: Address, amount: bigint): string {
  return `transfer ${to} ${amount}`;
}

export function readTokenCall(data: string): { to: Address; amount: bigint } | undefined {
  const match = /^transfer (0x[0-9a-f]{40}) ([0-9]+)$/u.exec(data);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { to: parseAddress(match[1]), amount: parseAmount(match[2]) };
}

export function payoutCall(payouts: readonly Payout[]): string {
  return payouts
    .map(({ to, amount, reverts }) => `pay ${to} ${amount}${reverts === true ? ' reverts' : ''}`)
    .join('\n');
}

export function readPayoutCall(data: string): readonly Payout[] | undefined {
  const payouts: Payout[] = [];
  for (const line of data.split('\n')) {
    const match = /^pay (0x[0-9a-f]{40}) ([0-9]+)( reverts)?$/u.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) return undefined;
    payouts.push({ to: parseAddress(match[1]), amount: parseAmount(match[2]), reverts: match[3] !== undefined });
  }
  return payouts;
}

/** The transaction that carries out a plan: a plain payment, or a call of the token's contract. */
export function transactionOf(
  plan: TransactionPlan,
  terms: FeeTerms,
  at: { chain: ChainId; nonce: bigint },
): FakeTransaction {
  const contract = contractOf(plan.asset);
  const { gasLimit, maxFeePerGas, maxPriorityFeePerGas } = terms;
  const called = plan.data ?? '';
  const { authorizations = [] } = plan;
  const common = { gasLimit, maxFeePerGas, maxPriorityFeePerGas, chain: at.chain, nonce: at.nonce, authorizations };
  if (contract === undefined) return { ...common, to: plan.to, value: plan.amount, data: called };
  return { ...common, to: contract, value: 0n, data: tokenCall(plan.to, plan.amount) };
}

/** Canonical bytes: one transaction has one encoding. */
export function encodeUnsigned(transaction: FakeTransaction): Uint8Array {
  const { chain, nonce, gasLimit, maxFeePerGas, maxPriorityFeePerGas, to, value, data } = transaction;
  const carried = writeAuthorizations(transaction.authorizations);
  const fields = [chain, nonce, gasLimit, maxFeePerGas, maxPriorityFeePerGas, to, value, data, carried].map(String);
  return new TextEncoder().encode(header + JSON.stringify(fields));
}

/** @throws CustodyError `signer/malformed-transaction` for bytes that {@link encodeUnsigned} would not write */
export function decodeUnsigned(bytes: Uint8Array): FakeTransaction {
  const text = new TextDecoder().decode(bytes);
  const fields = text.startsWith(header) ? readFields(text.slice(header.length)) : undefined;
  const [chain, nonce, gasLimit, maxFeePerGas, maxPriorityFeePerGas, to, value, data, carried] = fields ?? [];
  if (fields?.length !== 9 || chain === undefined || to === undefined || data === undefined) throw malformed();
  const transaction: FakeTransaction = {
    chain: parseChainId(chain),
    nonce: parseAmount(nonce ?? ''),
    gasLimit: parseAmount(gasLimit ?? ''),
    maxFeePerGas: parseAmount(maxFeePerGas ?? ''),
    maxPriorityFeePerGas: parseAmount(maxPriorityFeePerGas ?? ''),
    to: parseAddress(to),
    value: parseAmount(value ?? ''),
    data,
    authorizations: readAuthorizations(carried ?? ''),
  };
  if (new TextDecoder().decode(encodeUnsigned(transaction)) !== text) throw malformed();
  return transaction;
}

function readFields(json: string): readonly string[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  return value.map((field: unknown) => (typeof field === 'string' ? field : ''));
}

export function assembleSigned(unsigned: Uint8Array, signature: Signature): SignedTransaction {
  const transaction = decodeUnsigned(unsigned);
  const digits = (value: bigint): string => value.toString(16).padStart(64, '0');
  const tail = new TextEncoder().encode(`${digits(signature.r)}${digits(signature.s)}${signature.yParity}`);
  const raw = new Uint8Array([...unsigned, ...tail]);
  return { transaction, raw, hash: hashOf('transaction', raw), from: recoverSigner(unsigned, signature) };
}

/** @throws CustodyError `signer/malformed-transaction` when a part is missing, the signature above all */
export function decodeSigned(raw: Uint8Array): SignedTransaction {
  const tail = new TextDecoder().decode(raw.subarray(-signatureLength));
  const match = /^([0-9a-f]{64})([0-9a-f]{64})([01])$/u.exec(tail);
  if (match === null) throw malformed();
  const signature: Signature = {
    r: BigInt(`0x${match[1]}`),
    s: BigInt(`0x${match[2]}`),
    yParity: match[3] === '0' ? 0 : 1,
  };
  return assembleSigned(Uint8Array.from(raw.subarray(0, -signatureLength)), signature);
}

function malformed(): CustodyError {
  return new CustodyError(
    'signer/malformed-transaction',
    'These bytes are no transaction of the fake chain: build it with the port.',
  );
}
