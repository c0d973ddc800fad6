import { createHash } from 'node:crypto';
import { type CanonicalObject, canonicalJson, isCanonicalObject, parseCanonicalJson } from '@bulkhead/authority';

/**
 * The one text of a document that people print, compare and hash with any tool: canonical JSON, indented by two spaces, with a line
 * feed at the end.
 */
export function documentText(value: CanonicalObject): string {
  const sorted: unknown = JSON.parse(canonicalJson(value));
  return `${JSON.stringify(sorted, undefined, 2)}\n`;
}

/** Reads a document back; undefined for a text that {@link documentText} would not have written. */
export function parseDocument(text: string): CanonicalObject | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    const value = parseCanonicalJson(JSON.stringify(parsed));
    return isCanonicalObject(value) && documentText(value) === text ? value : undefined;
  } catch {
    // What is not JSON and what is not canonical is refused alike; who reads it says which file it was.
    return undefined;
  }
}

/** SHA-256 of the UTF-8 bytes of a text, lower-case hex: what `sha256sum` prints for the file. */
export function sha256Of(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
