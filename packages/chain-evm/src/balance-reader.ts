import { contractOf } from '@bulkhead/domain';
import type { Address, BalanceQuery } from '@bulkhead/domain';
import { nonsense } from './shape.ts';

/**
 * Creation code of `BalanceReader` of the contracts workspace; a test holds the two together. It is executed in `eth_call`
 * and never deployed.
 */
export const balanceReaderCode: string =
  '608060405234801561000f575f5ffd5b5060405161028538038061028583398101604081905261002e9161015d565b5f6028' +
  '825161003d9190610221565b90505f61004b826021610240565b61005690600161025d565b6001600160401b038111156100' +
  '6d5761006d610149565b6040519080825280601f01601f191660200182016040528015610097576020820181803683370190' +
  '505b509050600160f81b815f815181106100b1576100b1610270565b60200101906001600160f81b03191690815f1a905350' +
  '60208301602182015f5b8481101561013e57825160601c601484015160601c81158131831561011a576370a0823160e01b5f' +
  '528260045260205f60245f8762030d40fa5f51601f3d119091169250820290505b8186538060018701525050505060288301' +
  '92506021820191506001810190506100d1565b505050805160208201f35b634e487b7160e01b5f52604160045260245ffd5b' +
  '5f6020828403121561016d575f5ffd5b81516001600160401b03811115610182575f5ffd5b8201601f81018413610192575f' +
  '5ffd5b80516001600160401b038111156101ab576101ab610149565b604051601f8201601f19908116603f01168101600160' +
  '0160401b03811182821017156101d9576101d9610149565b6040528181528282016020018610156101f0575f5ffd5b816020' +
  '8401602083015e5f91810160200191909152949350505050565b634e487b7160e01b5f52601160045260245ffd5b5f826102' +
  '3b57634e487b7160e01b5f52601260045260245ffd5b500490565b80820281158282048414176102575761025761020d565b' +
  '92915050565b808201808211156102575761025761020d565b634e487b7160e01b5f52603260045260245ffdfe';

/**
 * Queries in one call. Bounded by the largest creation code (EIP-3860, 49,152 bytes; a query takes 40) and the largest
 * deployed code (EIP-170, 24,576 bytes; an answer takes 33).
 */
export const queriesPerCallMax = 500;

const answerBytes = 33;
const zeroAddress = '00'.repeat(20);

/** Creation code with the queries as its constructor argument (ABI `bytes`). */
export function encodeQueries(queries: readonly BalanceQuery[]): `0x${string}` {
  const packed = queries
    .map(({ asset, address }) => (contractOf(asset)?.slice(2) ?? zeroAddress) + address.slice(2))
    .join('');
  const bytes = packed.length / 2;
  const padding = '00'.repeat((32 - (bytes % 32)) % 32);
  return `0x${balanceReaderCode}${word(32)}${word(bytes)}${packed}${padding}`;
}

/** A balance, or undefined where the token has no code, fails, or answers with less than a word: that is not zero. */
export function decodeAnswers(data: string, queries: readonly BalanceQuery[]): readonly (bigint | undefined)[] {
  const body = /^0x01((?:[0-9a-f]{2})*)$/u.exec(data)?.[1];
  if (body === undefined || body.length !== queries.length * answerBytes * 2) {
    throw nonsense(`the answer to ${queries.length} balance queries has another shape`, data);
  }
  return queries.map((_, index) => {
    const answer = body.slice(index * answerBytes * 2, (index + 1) * answerBytes * 2);
    const amount = BigInt(`0x${answer.slice(2)}`);
    if (answer.startsWith('01')) return amount;
    if (answer.startsWith('00') && amount === 0n) return undefined;
    throw nonsense('the answer to a balance query is neither a balance nor a failure', answer);
  });
}

/** The contract of a query that could not be read, for messages. */
export function unreadableContract(
  queries: readonly BalanceQuery[],
  answers: readonly (bigint | undefined)[],
): Address | undefined {
  const query = queries.find((_, index) => answers[index] === undefined);
  return query === undefined ? undefined : contractOf(query.asset);
}

function word(value: number): string {
  return value.toString(16).padStart(64, '0');
}
