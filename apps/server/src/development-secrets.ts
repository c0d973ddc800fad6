import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Role, roles, type Token, tokenCharsMin } from '@bulkhead/api';
import { CustodyError } from '@bulkhead/domain';
import { z } from 'zod';
import type { Configuration } from './config.ts';
import { privateText } from './private-file.ts';

/** Bytes of randomness in a token that we make. */
const secretBytes = 32;

function secret(): string {
  return randomBytes(secretBytes).toString('base64url');
}

/** People of a start without configured tokens: the requester may not approve, so there are two who can. */
const developmentPeople: readonly { readonly name: string; readonly role: Role }[] = [
  { name: 'admin', role: 'admin' },
  { name: 'operator', role: 'operator' },
  { name: 'approver-1', role: 'approver' },
  { name: 'approver-2', role: 'approver' },
  { name: 'auditor', role: 'auditor' },
];

const tokenFile = z
  .array(z.strictObject({ name: z.string().min(1), role: z.enum(roles), token: z.string().min(tokenCharsMin) }))
  .min(1);

/** A token in clear, as it stands in the file of the data folder. */
export type DevelopmentToken = z.output<typeof tokenFile>[number];

/** Where tokens are kept that were made at the first start. */
export function tokenPath(configuration: Pick<Configuration, 'dataDirectory'>): string {
  return join(configuration.dataDirectory, 'tokens.json');
}

/**
 * Tokens of the development people, made at the first start and kept readable by their owner alone.
 *
 * @throws CustodyError `key/file-access`, `config/invalid` when the file was changed
 */
export function developmentTokens(configuration: Pick<Configuration, 'dataDirectory'>): readonly DevelopmentToken[] {
  const path = tokenPath(configuration);
  const text = privateText(
    path,
    () =>
      `${JSON.stringify(
        developmentPeople.map((person) => ({ ...person, token: secret() })),
        null,
        2,
      )}\n`,
  );
  const content = tokenFile.safeParse(parsedJson(text));
  if (content.success) return content.data;
  throw new CustodyError(
    'config/invalid',
    `${path} does not hold a list of tokens with name, role and token. Remove it to have new ones made.`,
  );
}

function parsedJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

/** The tokens that the API knows, and where those are that we made. */
export function tokensOf(configuration: Configuration): {
  readonly tokens: readonly Token[];
  readonly madeAt: string | undefined;
} {
  if (configuration.tokens !== undefined) return { tokens: configuration.tokens, madeAt: undefined };
  return { tokens: developmentTokens(configuration), madeAt: tokenPath(configuration) };
}
