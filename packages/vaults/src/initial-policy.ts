import { type Address, CustodyError, parseAddress, parseAmount } from '@bulkhead/domain';
import { addressCodec, encodeAll, type Keccak, listOf, struct, type StructCodec, unsigned } from './codec.ts';
import { type Hex, hexOf } from './word.ts';

/** Most that may be paid of a token in one window. Its zero address is the native coin; without a limit nothing may be paid. */
export type Limit = { readonly token: Address; readonly cap: bigint };

/** What a client agreed to from the start: it is in the vault's address, by its hash. */
export type InitialPolicy = {
  readonly destinations: readonly Address[];
  readonly limits: readonly Limit[];
  /** Of payments to addresses nobody listed. Only an omnibus has any. */
  readonly unlisted: readonly Limit[];
};

/** The same as text, in the order of its fields, for certificates and lists of changes. */
export type InitialPolicyText = {
  readonly destinations: readonly string[];
  readonly limits: readonly LimitText[];
  readonly unlisted: readonly LimitText[];
};
export type LimitText = { readonly cap: string; readonly token: string };

/** The native coin, where a token is named. */
export const nativeToken: Address = parseAddress(`0x${'0'.repeat(40)}`);

/** Destinations and limits of an initial policy. Whoever opens it writes each into the chain in one transaction. */
export const initialEntriesMax: number = 64;

export const limitCodec: StructCodec<Limit> = struct('Limit', { token: addressCodec, cap: unsigned(104) });

export const initialPolicyCodec: StructCodec<InitialPolicy> = struct('InitialPolicy', {
  destinations: listOf(addressCodec),
  limits: listOf(limitCodec),
  unlisted: listOf(limitCodec),
});

/** `keccak256(abi.encode(policy))`, the `policyHash` of a configuration. */
export function policyHash(hashes: Keccak, policy: InitialPolicy): Hex {
  return hexOf(hashes.keccak256(encodeAll([[initialPolicyCodec, policy]])));
}

/**
 * One policy has one form: entries ascend by address, and none stands twice.
 *
 * @throws CustodyError `vault/configuration`
 */
export function assertInitialPolicy(policy: InitialPolicy, feeReceiver: Address): void {
  assertAscending(policy.destinations, 'destinations');
  assertAscending(
    policy.limits.map(({ token }) => token),
    'limits',
  );
  assertAscending(
    policy.unlisted.map(({ token }) => token),
    'limits of unlisted payments',
  );
  const [first] = policy.destinations;
  if (first === nativeToken) throw wrong('the zero address is a destination');
  // What goes to the operator beyond the fee would be agreed to here.
  if (policy.destinations.includes(feeReceiver)) throw wrong('the receiver of the fee is a destination');
}

export function initialPolicyText(policy: InitialPolicy): InitialPolicyText {
  const limitText = ({ token, cap }: Limit): LimitText => ({ cap: String(cap), token });
  return {
    destinations: policy.destinations,
    limits: policy.limits.map(limitText),
    unlisted: policy.unlisted.map(limitText),
  };
}

/** @throws CustodyError `vault/configuration`, `address/malformed`, `address/checksum`, `amount/malformed` */
export function parseInitialPolicy(value: unknown): InitialPolicy {
  const fields = fieldsOf(value, ['destinations', 'limits', 'unlisted'], 'initial policy');
  const limitsOf = (name: string): readonly Limit[] =>
    entriesOf(fields.get(name), name).map((entry) => {
      const limit = fieldsOf(entry, ['cap', 'token'], 'limit');
      return { token: parseAddress(textOf(limit, 'token')), cap: parseAmount(textOf(limit, 'cap')) };
    });
  const destinations = entriesOf(fields.get('destinations'), 'destinations').map((entry) => {
    if (typeof entry !== 'string') throw wrong('a destination is no text');
    return parseAddress(entry);
  });
  return { destinations, limits: limitsOf('limits'), unlisted: limitsOf('unlisted') };
}

/** The fields of an object that has exactly these names. @throws CustodyError `vault/configuration` */
export function fieldsOf(value: unknown, names: readonly string[], what: string): ReadonlyMap<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(`the ${what} is no object`);
  const fields = new Map<string, unknown>(Object.entries(value));
  const other = [...fields.keys()].find((name) => !names.includes(name));
  if (other !== undefined) throw wrong(`the field "${other.slice(0, 60)}" does not belong to the ${what}`);
  return fields;
}

/** @throws CustodyError `vault/configuration` */
export function textOf(fields: ReadonlyMap<string, unknown>, name: string): string {
  const value = fields.get(name);
  if (typeof value !== 'string') throw wrong(`the field "${name}" is missing or no text`);
  return value;
}

function entriesOf(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(`the field "${name}" is missing or no list`);
  const entries: readonly unknown[] = value;
  return entries;
}

function assertAscending(addresses: readonly Address[], name: string): void {
  if (addresses.length > initialEntriesMax) {
    throw wrong(`it has ${addresses.length} ${name}, at most ${initialEntriesMax}`);
  }
  const place = addresses.findIndex((address, index) => index > 0 && address <= (addresses[index - 1] ?? address));
  if (place !== -1) throw wrong(`its ${name} do not ascend at ${addresses[place]}`);
}

export function wrong(fact: string): CustodyError {
  return new CustodyError('vault/configuration', `No vault is made like this: ${fact}.`);
}
