import { CustodyError } from '@bulkhead/domain';
import { bytesToHex } from '@noble/hashes/utils.js';

/** What the browser says an assertion is about (W3C WebAuthn level 3, section 5.8.1). */
export type ClientData = {
  /** Hex. */
  readonly challenge: string;
  readonly origin: string;
};

const typeWanted = 'webauthn.get';
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads collected client data. Names that are not known are skipped, as the standard wants; a name that stands twice is refused,
 * because readers differ in which of the two they take.
 *
 * @throws CustodyError `signer/approval-invalid`
 */
export function parseClientData(bytes: Uint8Array): ClientData {
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw invalid('it is no JSON in UTF-8');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('it is no object');
  // A text that is written back as it was read names nothing twice; any other is looked through.
  if (JSON.stringify(value) !== text) assertNamesOnce(text);
  const type = own(value, 'type');
  const challenge = own(value, 'challenge');
  const origin = own(value, 'origin');
  if (type !== typeWanted) throw invalid(`its type is not ${typeWanted}`);
  if (typeof challenge !== 'string' || typeof origin !== 'string') throw invalid('challenge or origin is missing');
  // A page inside somebody else's frame can be covered with what the other page likes.
  if (Object.hasOwn(value, 'crossOrigin') && own(value, 'crossOrigin') !== false) {
    throw invalid('it was made in a frame of another page');
  }
  if (Object.hasOwn(value, 'topOrigin')) throw invalid('it was made in a frame of another page');
  return { challenge: bytesToHex(base64url(challenge)), origin };
}

function own(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}

/** Base64url without padding (RFC 4648, section 5), with the unused bits zero: one text for the same bytes. */
function base64url(text: string): Uint8Array {
  let binary: string;
  try {
    binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    throw invalid('its challenge is no base64url');
  }
  // What `atob` forgives, such as white space, padding and unused bits, is not written back.
  const written = btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  if (written !== text) throw invalid('its challenge is no base64url');
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

/**
 * Walks over JSON that is known to be well-formed and looks at every name. Strings are taken whole, so that braces in them do not
 * count; a string before a colon is a name.
 */
function assertNamesOnce(text: string): void {
  const open: Set<string>[] = [];
  for (const [token, literal, colon] of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}]/gu)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (literal !== undefined && colon !== undefined) {
      const name = String(JSON.parse(literal));
      const names = open.at(-1);
      if (names?.has(name) === true) throw invalid(`the name "${name.slice(0, 60)}" stands twice`);
      names?.add(name);
    }
  }
}

function invalid(fact: string): CustodyError {
  return new CustodyError(
    'signer/approval-invalid',
    `The client data of an assertion cannot be used: ${fact}. Approve again on the approval page.`,
  );
}
