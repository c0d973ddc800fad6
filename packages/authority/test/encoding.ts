/** A lenient writer of RLP, so that tests can say what the strict reader must refuse. */
export type Encodable = Uint8Array | readonly Encodable[];

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replace(/^0x/u, ''), 'hex'));
}

export function rlp(item: Encodable): Uint8Array {
  if (item instanceof Uint8Array) {
    const [first] = item;
    if (item.length === 1 && first !== undefined && first < 0x80) return item;
    return Buffer.concat([head(0x80, item.length), item]);
  }
  const body = Buffer.concat(item.map((entry) => rlp(entry)));
  return Buffer.concat([head(0xc0, body.length), body]);
}

function head(base: number, length: number): Uint8Array {
  if (length < 56) return Uint8Array.of(base + length);
  const digits = integer(BigInt(length));
  return Buffer.concat([Uint8Array.of(base + 55 + digits.length), digits]);
}

/** Big-endian without leading zeros; nothing for zero. */
export function integer(value: bigint): Uint8Array {
  if (value === 0n) return new Uint8Array(0);
  const hex = value.toString(16);
  return bytesOf(hex.padStart(hex.length + (hex.length % 2), '0'));
}

export type Fields = {
  readonly chainId: bigint;
  readonly nonce: bigint;
  readonly maxPriorityFeePerGas: bigint;
  readonly maxFeePerGas: bigint;
  readonly gasLimit: bigint;
  readonly to: string;
  readonly value: bigint;
  readonly data: string;
  readonly accessList: Encodable;
};

/** An unsigned EIP-1559 transaction. */
export function transactionBytes(fields: Fields): Uint8Array {
  const { chainId, nonce, maxPriorityFeePerGas, maxFeePerGas, gasLimit, to, value, data, accessList } = fields;
  const numbers = [chainId, nonce, maxPriorityFeePerGas, maxFeePerGas, gasLimit].map((field) => integer(field));
  const list = [...numbers, bytesOf(to), integer(value), bytesOf(data), accessList];
  return Buffer.concat([Uint8Array.of(2), rlp(list)]);
}

export function transferData(to: string, amount: bigint): string {
  return `a9059cbb${to.slice(2).padStart(64, '0')}${amount.toString(16).padStart(64, '0')}`;
}
