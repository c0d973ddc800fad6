import { type Address, type ChainId, CustodyError, parseAddress, parseChainId } from '@bulkhead/domain';
import { bytesToHex } from '@noble/hashes/utils.js';
import { parseRlp, rlpInteger, type RlpItem, rlpList, rlpString } from './rlp.ts';

/** What an address lets its code be (EIP-7702), for one nonce of it; in a transaction, with its signature, which is for the chain to check. */
export type Authorization = {
  readonly chain: ChainId;
  /** The zero address takes a delegation back. */
  readonly delegate: Address;
  readonly nonce: bigint;
};

/** An unsigned transaction, read from its bytes: EIP-1559, or EIP-7702 where it carries authorisations. Amounts in wei. */
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
  readonly authorizations: readonly Authorization[];
};

const feeType = 0x02;
const setCodeType = 0x04;
const authorizationType = 0x05;
const fieldCount = 9;
const authorizationFieldCount = 6;
const wordBytes = 32;
/** EIP-2681 bounds the nonce to 64 bits; nodes hold gas in 64 bits too. */
const shortBytes = 8;
/** A chain id is written as a number of at most 15 digits in CAIP-2. */
const chainIdBytes = 7;

/**
 * Reads `0x02 || rlp([chainId, nonce, maxPriorityFeePerGas, maxFeePerGas, gasLimit, to, value, data, accessList])`
 * (EIP-2718, EIP-1559), or `0x04` and the same list with a list of authorisations behind it (EIP-7702); canonical encodings only. The
 * digest to sign is Keccak-256 over exactly these bytes.
 *
 * @throws CustodyError `signer/malformed-transaction`
 */
export function parseUnsignedTransaction(bytes: Uint8Array): UnsignedTransaction {
  const [type] = bytes;
  if (type !== feeType && type !== setCodeType) {
    throw malformed('the first byte is neither 0x02 of EIP-1559 nor 0x04 of EIP-7702');
  }
  const all = rlpList(parseRlp(bytes.subarray(1)), 'the transaction');
  const fields = type === setCodeType ? all.slice(0, fieldCount) : all;
  const authorizations = type === setCodeType ? authorizationsOf(all) : [];
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
    authorizations,
  };
}

/**
 * Reads `0x05 || rlp([chainId, address, nonce])` (EIP-7702), what an address signs to let its code be that of another.
 *
 * @throws CustodyError `signer/malformed-transaction`
 */
export function parseAuthorization(bytes: Uint8Array): Authorization {
  if (bytes[0] !== authorizationType) throw malformed('the first byte is not 0x05, that of an authorisation');
  const fields = rlpList(parseRlp(bytes.subarray(1)), 'the authorisation');
  if (fields.length !== 3) throw malformed(`an authorisation has 3 fields, and this one has ${fields.length}`);
  return authorizationOf(fields);
}

function authorizationsOf(all: readonly RlpItem[]): readonly Authorization[] {
  const list = all[fieldCount];
  if (all.length !== fieldCount + 1 || list === undefined) {
    throw malformed(`it has ${all.length} fields, an unsigned one with authorisations has ${fieldCount + 1}`);
  }
  const authorizations = rlpList(list, 'authorizationList').map((entry) => {
    const fields = rlpList(entry, 'an authorisation');
    if (fields.length !== authorizationFieldCount) {
      throw malformed(`an authorisation in it has ${fields.length} fields, not ${authorizationFieldCount}`);
    }
    return authorizationOf(fields);
  });
  if (authorizations.length === 0) throw malformed('its list of authorisations is empty, which no node takes');
  return authorizations;
}

/** An authorisation for chain 0 would count on every chain: it is refused here with the chain. */
function authorizationOf([chainId, delegate, nonce]: readonly RlpItem[]): Authorization {
  if (chainId === undefined || delegate === undefined || nonce === undefined) throw malformed('a field is missing');
  const to = recipient(rlpString(delegate, 'address'));
  if (to === undefined) throw malformed('an authorisation in it names no address');
  return {
    chain: chainOfNumber(rlpInteger(chainId, 'chainId', chainIdBytes)),
    delegate: to,
    nonce: rlpInteger(nonce, 'nonce', shortBytes),
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
    `These bytes are no unsigned transaction of EIP-1559 or EIP-7702: ${fact}. Build it again with the chain adapter.`,
  );
}
