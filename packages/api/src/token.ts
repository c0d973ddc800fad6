import { createHash, timingSafeEqual } from 'node:crypto';
import { CustodyError } from '@bulkhead/domain';
import type { Actor } from './operations.ts';
import { id } from './resource/wire.ts';
import { roles } from './role.ts';
import type { Role } from './role.ts';

/** A bearer token of the configuration: itself, or the SHA-256 of its UTF-8 bytes in hex so that no file holds it. */
export type Token = {
  readonly name: string;
  readonly role: Role;
  /** Of the role `client`, and of no other: whose proofs it may read. */
  readonly clientId?: string;
} & (
  | { readonly token: string; readonly tokenSha256?: never }
  | { readonly tokenSha256: string; readonly token?: never }
);

/** A token that can be guessed is none. */
export const tokenCharsMin = 16;
export const tokenCharsMax = 512;

type Known = { readonly actor: Actor; readonly digest: Buffer };

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}

/**
 * Answers who a bearer token belongs to. Digests of fixed length are compared, in constant time and against all tokens, so
 * that neither content nor place of a token shows in the time of the answer.
 *
 * @throws CustodyError `config/invalid` when tokens are short, malformed, shared or name somebody twice
 */
export function tokenBook(tokens: readonly Token[]): (authorization: string | undefined) => Actor | undefined {
  const known = tokens.map(knownToken);
  for (const unique of [known.map(({ actor }) => actor.name), known.map(({ digest }) => digest.toString('hex'))]) {
    if (new Set(unique).size !== unique.length) {
      throw new CustodyError(
        'config/invalid',
        'Two tokens have the same name or the same value: one person, one token.',
      );
    }
  }
  return (authorization) => {
    const presented = /^Bearer ([\x21-\x7e]+)$/iu.exec(authorization ?? '')?.[1];
    if (presented === undefined || presented.length > tokenCharsMax) return undefined;
    const digest = sha256(presented);
    let actor: Actor | undefined;
    for (const candidate of known) {
      if (timingSafeEqual(candidate.digest, digest)) actor = candidate.actor;
    }
    return actor;
  };
}

function knownToken(token: Token): Known {
  const { name, role, clientId } = token;
  const actor: Actor = { name, role, ...(clientId === undefined ? {} : { clientId }) };
  if (token.name === '' || !roles.includes(token.role)) {
    throw new CustodyError('config/invalid', `A token needs a name and one of the roles ${roles.join(', ')}.`, {
      details: { name: token.name },
    });
  }
  if ((role === 'client') !== (clientId !== undefined && id('client').safeParse(clientId).success)) {
    throw new CustodyError(
      'config/invalid',
      `The token of ${name} is ${role}: a client's names its client by the id, such as cl_01931d5c-6f3a-7cc3-98c4-dc0c0c07398f, and no other names one.`,
      { details: { name } },
    );
  }
  if (token.tokenSha256 !== undefined) {
    if (!/^[0-9a-f]{64}$/u.test(token.tokenSha256)) {
      throw new CustodyError('config/invalid', `tokenSha256 of ${token.name} is not 64 lower-case hex digits.`);
    }
    return { actor, digest: Buffer.from(token.tokenSha256, 'hex') };
  }
  const fits = token.token.length >= tokenCharsMin && token.token.length <= tokenCharsMax;
  if (!fits || !/^[\x21-\x7e]+$/u.test(token.token)) {
    throw new CustodyError(
      'config/invalid',
      `The token of ${token.name} must have ${tokenCharsMin} to ${tokenCharsMax} visible ASCII characters. Make one with: openssl rand -hex 32`,
    );
  }
  return { actor, digest: sha256(token.token) };
}
