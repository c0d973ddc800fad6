import { listBytesMax, statementCharactersMax } from '@bulkhead/authority';
import { CustodyError, intentBytesMax, type SignedStatement } from '@bulkhead/domain';
import { base64urlOf, bytesOfBase64url } from './base64url.ts';

/** What somebody brings to be approved. Nothing of it is believed yet. */
export type ApprovalRequest = {
  /** Claimed to be the canonical bytes of an intent. */
  readonly intent: Uint8Array;
  /** Claimed to be the text of the registry list that the intent names by its digest. */
  readonly list?: string;
  /** Claimed to be what the signer says about the intent. */
  readonly brief?: SignedStatement;
};

/** Characters of a link. A list that does not fit travels as a file. */
export const linkCharactersMax: number = 65_536;

/** Characters of a file: a list of the largest size with every character escaped, and the rest. */
export const bundleCharactersMax: number = 2 * listBytesMax + 65_536;

export type LinkParts = { readonly list?: string; readonly brief?: SignedStatement };

/**
 * A link to the approval page. Everything is in its fragment, which browsers send to nobody. A list that would make it longer than
 * {@link linkCharactersMax} is left out: the page then asks for the file.
 */
export function approvalLink(intentText: string, { list, brief }: LinkParts, origin: string): string {
  const part = (name: string, text: string | undefined): string =>
    text === undefined ? '' : `${name}=${base64urlOf(new TextEncoder().encode(text))}`;
  const short = [part('i', intentText), part('b', brief === undefined ? undefined : JSON.stringify(brief))];
  const link = (parts: readonly string[]): string => `${origin}/#${parts.filter((text) => text !== '').join('&')}`;
  const whole = link([...short, part('l', list)]);
  return whole.length <= linkCharactersMax ? whole : link(short);
}

/**
 * Reads a link, or its fragment alone. Of a link that names an address, the address is not looked at: what counts is what it carries.
 *
 * @throws CustodyError `request/malformed`, `request/too-large`
 */
export function readLink(text: string): ApprovalRequest {
  if (text.length > linkCharactersMax) throw tooLarge('link', linkCharactersMax);
  const fragment = text.trim().replace(/^[^#]*#/u, '');
  const parts = new Map<string, Uint8Array>();
  for (const part of fragment.split('&')) {
    const [, name = '', value = ''] = /^([ilb])=(.+)$/u.exec(part) ?? [];
    const bytes = bytesOfBase64url(value);
    if (name === '' || bytes === undefined) {
      throw malformed('The link is damaged: a part of it is cut off or changed. Copy the whole link again.');
    }
    if (parts.has(name)) throw malformed(`The link has the part "${name}" twice. Ask for a new link.`);
    parts.set(name, bytes);
  }
  const intent = parts.get('i');
  const list = parts.get('l');
  const brief = parts.get('b');
  if (intent === undefined) throw malformed('The link carries nothing to approve. Copy the whole link again.');
  return {
    intent: bounded(intent),
    ...(list === undefined ? {} : { list: textOf(list) }),
    ...(brief === undefined ? {} : { brief: statementOf(jsonOf(textOf(brief))) }),
  };
}

/**
 * Reads a file: JSON with `intent` (the canonical text, or an object that has it as `canonical`), `list` and `brief`, as the API
 * answers it. Other fields are not looked at, because whoever wrote them may lie.
 *
 * @throws CustodyError `request/malformed`, `request/too-large`
 */
export function readBundle(text: string): ApprovalRequest {
  if (text.length > bundleCharactersMax) throw tooLarge('file', bundleCharactersMax);
  const fields = fieldsOf(jsonOf(text));
  const given = fields.get('intent');
  const intent = isObject(given) ? fieldsOf(given).get('canonical') : given;
  if (typeof intent !== 'string') throw malformed('The file has no "intent": nothing in it can be approved.');
  const list = fields.get('list') ?? undefined;
  const brief = fields.get('brief') ?? undefined;
  if (list !== undefined && typeof list !== 'string') throw malformed('The "list" of the file is no text.');
  return {
    intent: bounded(asciiBytes(intent)),
    // A change without a list has an empty one.
    ...(list === undefined || list === '' ? {} : { list }),
    ...(brief === undefined ? {} : { brief: statementOf(brief) }),
  };
}

/**
 * Reads whatever somebody pasted or opened: a link, its fragment, or the text of a file.
 *
 * @throws CustodyError `request/malformed`, `request/too-large`
 */
export function readRequest(text: string): ApprovalRequest {
  return text.trimStart().startsWith('{') ? readBundle(text) : readLink(text);
}

/** An intent is ASCII; another character must not become one of it by being cut to eight bits. */
function asciiBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function bounded(intent: Uint8Array): Uint8Array {
  if (intent.length <= intentBytesMax) return intent;
  throw new CustodyError(
    'request/too-large',
    `The intent has ${intent.length} bytes; no intent has more than ${intentBytesMax}. Nothing can be signed.`,
  );
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new CustodyError('request/malformed', 'A part of the link is no text (UTF-8). Copy the whole link again.', {
      cause,
    });
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CustodyError(
      'request/malformed',
      'This is neither a link to this page nor the JSON that the server gives for approval. Load it again.',
      { cause },
    );
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('The file has not the form of something to approve: an object with "intent".');
  }
  return new Map<string, unknown>(Object.entries(value));
}

function statementOf(value: unknown): SignedStatement {
  const fields = fieldsOf(value);
  const [statement, identity, signature] = ['statement', 'identity', 'signature'].map((name) => fields.get(name));
  const right =
    typeof statement === 'string' &&
    statement.length <= statementCharactersMax &&
    typeof identity === 'string' &&
    /^[0-9a-f]{64}$/u.test(identity) &&
    typeof signature === 'string' &&
    /^[0-9a-f]{128}$/u.test(signature);
  if (!right) throw malformed('The "brief" has not the form of a signed statement: statement, identity, signature.');
  return { statement, identity, signature };
}

function tooLarge(what: string, max: number): CustodyError {
  return new CustodyError('request/too-large', `The ${what} is longer than ${max} characters. Nothing can be signed.`);
}

function malformed(message: string): CustodyError {
  return new CustodyError('request/malformed', message);
}
