import { type Address, type ChainId, CustodyError, parseAddress, parseChainId } from '@bulkhead/domain';
import { bytesToHex } from '@noble/hashes/utils.js';
import { parseRlp, rlpInteger, rlpList, rlpString } from './rlp.ts';

/** An unsigned EIP-1559 transaction, read from its bytes. Amounts in wei. */
export type UnsignedTransaction = {
  readonly chain: ChainId;
  readonly nonce: bigint;
  readonly maxPriorityFeePerGas: bigint;
  readonly maxFeePerGas: bigint;
  readonly gasLimit: bigint;
  /** Undefined for the creation of a contract. */
  readonly to: Address | undefined;
  readonly value: bigint;
  readonly data: Uint8Array;
  readonly accessListLength: number;
};

const typeByte = 0x02;
const fieldCount = 9;
const wordBytes = 32;
/** EIP-2681 bounds the nonce to 64 bits; nodes hold gas in 64 bits too. */
const shortBytes = 8;
/** A chain id is written as a number of at most 15 digits in CAIP-2. */
const chainIdBytes = 7;

/**
 * Reads `0x02 || rlp([chainId, nonce, maxPriorityFeePerGas, maxFeePerGas, gasLimit, to, value, data, accessList])`
 * (EIP-2718, EIP-1559), canonical encodings only. The digest to sign is Keccak-256 over exactly these bytes.
 *
 * @throws CustodyError `signer/malformed-transaction`
 */
export function parseUnsignedTransaction(bytes: Uint8Array): UnsignedTransaction {
  if (bytes[0] !== typeByte) {
    throw malformed('the first byte is not 0x02, the type of EIP-1559');
  }
  const fields = rlpList(parseRlp(bytes.subarray(1)), 'the transaction');
  const [chainId, nonce, priorityFee, maxFee, gasLimit, to, value, data, accessList] = fields;
  if (
    fields.length !== fieldCount ||
    chainId === undefined ||
    nonce === undefined ||
    priorityFee === undefined ||
    maxFee === undefined ||
    gasLimit === undefined ||
    to === undefined ||
    value === undefined ||
    data === undefined ||
    accessList === undefined
  ) {
    throw malformed(`it has ${fields.length} fields, an unsigned one has ${fieldCount}`);
  }
  return {
    chain: chainOfNumber(rlpInteger(chainId, 'chainId', chainIdBytes)),
    nonce: rlpInteger(nonce, 'nonce', shortBytes),
    maxPriorityFeePerGas: rlpInteger(priorityFee, 'maxPriorityFeePerGas', wordBytes),
    maxFeePerGas: rlpInteger(maxFee, 'maxFeePerGas', wordBytes),
    gasLimit: rlpInteger(gasLimit, 'gasLimit', shortBytes),
    to: recipient(rlpString(to, 'to')),
    value: rlpInteger(value, 'value', wordBytes),
    data: rlpString(data, 'data'),
    accessListLength: rlpList(accessList, 'accessList').length,
  };
}

function chainOfNumber(chainId: bigint): ChainId {
  if (chainId === 0n) throw malformed('its chainId is 0');
  if (chainId >= 10n ** 15n) throw malformed('its chainId has more than 15 digits');
  return parseChainId(`eip155:${chainId}`);
}

function recipient(bytes: Uint8Array): Address | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes.length !== 20) throw malformed(`its recipient has ${bytes.length} bytes`);
  return parseAddress(`0x${bytesToHex(bytes)}`);
}

function malformed(fact: string): CustodyError {
  return new CustodyError(
    'signer/malformed-transaction',
    `These bytes are no unsigned EIP-1559 transaction: ${fact}. Build it again with the chain adapter.`,
  );
}
