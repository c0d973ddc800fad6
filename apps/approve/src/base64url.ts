const alphabetForm = /^[A-Za-z0-9_-]*$/u;

/** Base64url without padding (RFC 4648, section 5). */
export function base64urlOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Undefined for a text that {@link base64urlOf} would not have written: bytes have one text. */
export function bytesOfBase64url(text: string): Uint8Array | undefined {
  if (!alphabetForm.test(text) || text.length % 4 === 1) return undefined;
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  return base64urlOf(bytes) === text ? bytes : undefined;
}
