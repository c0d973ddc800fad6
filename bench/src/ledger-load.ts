import { randomInt, randomUUID } from 'node:crypto';

export const accountCount = 10_000;

/** References are prefixed ids that grow with time (UUID version 7), as the workflows make them. */
export function timeOrderedReference(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `bch_${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/** Keys as the workflows make them (`transferKey`): the time of the workflow's id, then a hash. */
export function timeOrderedKey(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-8${randomUUID().slice(15)}`;
}

/** Two different accounts, all equally likely. */
export function randomPair(): readonly [number, number] {
  const first = randomInt(accountCount);
  const second = randomInt(accountCount - 1);
  return [first, second < first ? second : second + 1];
}

/** One account on one side of every transfer, half of the time debited. */
export function hotPair(): readonly [number, number] {
  const other = randomInt(1, accountCount);
  return randomInt(2) === 0 ? [0, other] : [other, 0];
}
