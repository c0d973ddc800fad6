import { createHash } from 'node:crypto';
import { CustodyError } from '@bulkhead/domain';

export const idempotencyKeyCharsMax = 255;
const form = /^[\x21-\x7e]{1,255}$/u;

/** @throws CustodyError `request/idempotency-key-missing` when the header is absent, empty or not visible ASCII */
export function parseIdempotencyKey(header: string | readonly string[] | undefined): string {
  if (typeof header === 'string' && form.test(header)) return header;
  throw new CustodyError(
    'request/idempotency-key-missing',
    `Every write takes one header Idempotency-Key with 1 to ${idempotencyKeyCharsMax} visible ASCII characters. Choose a new one for each new wish, and the same one when you ask again.`,
  );
}

/** What was asked for. */
export type Wish = {
  readonly method: string;
  /** The route, `/v1/clients/:clientId`. */
  readonly route: string;
  readonly params: unknown;
  readonly body: unknown;
};

/**
 * SHA-256 over the wish, lower-case hex. Two bodies that differ only in white space or in the order of their fields are the
 * same wish. Parts are prefixed by their length, so that none can pretend to be another.
 */
export function fingerprint(wish: Wish): string {
  const digest = createHash('sha256');
  for (const part of [wish.method, wish.route, canonicalJson(wish.params), canonicalJson(wish.body)]) {
    digest.update(`${Buffer.byteLength(part, 'utf8')}:${part},`, 'utf8');
  }
  return digest.digest('hex');
}

/** JSON with sorted fields and without white space. Bodies were checked by a schema before: they are shallow. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, entry]) => `${JSON.stringify(name)}:${canonicalJson(entry)}`);
    return `{${fields.join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
