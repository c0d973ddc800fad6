import { CustodyError } from '@bulkhead/domain';

/** RFC 4648 section 4, with padding. */
export function base64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/**
 * Reads what {@link base64} writes, and refuses every other text for the same bytes.
 *
 * @throws CustodyError `log/malformed`
 */
export function parseBase64(text: string, what: string): Uint8Array {
  let binary: string | undefined;
  try {
    binary = atob(text);
  } catch {
    binary = undefined;
  }
  // What `atob` forgives (white space, unused bits, missing padding) is not written back.
  if (binary === undefined || btoa(binary) !== text) {
    throw new CustodyError('log/malformed', `The ${what} is not in base64 with padding (RFC 4648 section 4).`);
  }
  return Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
}
