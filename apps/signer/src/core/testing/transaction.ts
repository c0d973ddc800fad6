import { type Address, type AssetId, chainNumber, chainOf, contractOf } from '@bulkhead/domain';

type Item = Uint8Array | readonly Item[];

/** Terms of a transaction as an honest builder chooses them; an attack replaces what it likes. */
export type TransactionParts = {
  readonly chain: number;
  readonly nonce: bigint;
  readonly priority: bigint;
  readonly maxFee: bigint;
  readonly gasLimit: bigint;
  readonly to: Uint8Array;
  readonly value: bigint;
  readonly data: Uint8Array;
  readonly accessList: readonly Item[];
};

export type Payment = {
  readonly asset: AssetId;
  readonly to: Address;
  readonly amount: bigint;
  readonly nonce: bigint;
};

/** The honest transaction of a payment. Its worst fee is 21,000 or 60,000 gas times 10 wei. */
export function partsOf({ asset, to, amount, nonce }: Payment): TransactionParts {
  const contract = contractOf(asset);
  return {
    chain: chainNumber(chainOf(asset)),
    nonce,
    priority: 1n,
    maxFee: 10n,
    gasLimit: contract === undefined ? 21_000n : 60_000n,
    to: bytesOf((contract ?? to).slice(2)),
    value: contract === undefined ? amount : 0n,
    data: contract === undefined ? new Uint8Array() : call('a9059cbb', to, amount),
    accessList: [],
  };
}

/** `selector(address,uint256)` of ERC-20. */
export function call(selector: string, to: Address, amount: bigint): Uint8Array {
  return bytesOf(selector + to.slice(2).padStart(64, '0') + amount.toString(16).padStart(64, '0'));
}

/** `0x02 || rlp([…])` of EIP-1559. */
export function encode(parts: TransactionParts): Uint8Array {
  const { chain, nonce, priority, maxFee, gasLimit, to, value, data, accessList } = parts;
  const numbers = [BigInt(chain), nonce, priority, maxFee, gasLimit].map(integer);
  return Buffer.concat([Buffer.of(0x02), rlp([...numbers, to, integer(value), data, accessList])]);
}

/** The same content in another envelope: 1 of EIP-2930, 3 of EIP-4844, 4 of EIP-7702. */
export function encodeAs(type: number, parts: TransactionParts): Uint8Array {
  const bytes = Buffer.from(encode(parts));
  bytes[0] = type;
  return bytes;
}

/** What an address lets its code be, as a test puts it into a transaction or has it signed. */
export type AuthorizationParts = { readonly chain: number; readonly delegate: Address; readonly nonce: bigint };

/** `0x04 || rlp([…, authorizationList])` of EIP-7702. Its authorisations are signed by nobody, which is for the chain to find. */
export function encodeSetCode(parts: TransactionParts, authorizations: readonly AuthorizationParts[]): Uint8Array {
  const { chain, nonce, priority, maxFee, gasLimit, to, value, data, accessList } = parts;
  const numbers = [BigInt(chain), nonce, priority, maxFee, gasLimit].map(integer);
  const list = authorizations.map((each) => [...authorizationItem(each), integer(0n), integer(1n), integer(1n)]);
  return Buffer.concat([Buffer.of(0x04), rlp([...numbers, to, integer(value), data, accessList, list])]);
}

/** `0x05 || rlp([chainId, address, nonce])` of EIP-7702. */
export function encodeAuthorization(parts: AuthorizationParts): Uint8Array {
  return Buffer.concat([Buffer.of(0x05), rlp(authorizationItem(parts))]);
}

function authorizationItem({ chain, delegate, nonce }: AuthorizationParts): readonly Item[] {
  return [integer(BigInt(chain)), bytesOf(delegate.slice(2)), integer(nonce)];
}

/** Before EIP-2718: no type byte; EIP-155 puts the chain where the signature goes. */
export function encodeLegacy({ chain, nonce, maxFee, gasLimit, to, value, data }: TransactionParts): Uint8Array {
  const empty = new Uint8Array();
  const head = [nonce, maxFee, gasLimit].map(integer);
  return rlp([...head, to, integer(value), data, integer(BigInt(chain)), empty, empty]);
}

export function integer(value: bigint): Uint8Array {
  if (value === 0n) return new Uint8Array();
  const digits = value.toString(16);
  return bytesOf(digits.length % 2 === 0 ? digits : `0${digits}`);
}

function rlp(item: Item): Buffer {
  if (item instanceof Uint8Array) {
    const [first] = item;
    if (item.length === 1 && first !== undefined && first < 0x80) return Buffer.from(item);
    return Buffer.concat([lengthPrefix(0x80, item.length), item]);
  }
  const body = Buffer.concat(item.map(rlp));
  return Buffer.concat([lengthPrefix(0xc0, body.length), body]);
}

function lengthPrefix(offset: number, length: number): Uint8Array {
  if (length <= 55) return Uint8Array.of(offset + length);
  const digits = integer(BigInt(length));
  return Uint8Array.of(offset + 55 + digits.length, ...digits);
}

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex');
}
