import { wordBytes } from './word.ts';

/**
 * Whether code that stands on a chain is what creation code leaves there: the same bytes, but where the compiler left 32 zeros for a
 * value that is fixed at the deployment, one of these values.
 */
export function isBuiltFrom(creationCode: Uint8Array, code: Uint8Array, fixed: readonly Uint8Array[]): boolean {
  if (code.length === 0 || code.length > creationCode.length) return false;
  // The runtime code stands in the creation code as a whole; its own instructions are before it.
  for (let start = 0; start + code.length <= creationCode.length; start++) {
    if (agrees(creationCode.subarray(start, start + code.length), code, fixed)) return true;
  }
  return false;
}

function agrees(built: Uint8Array, code: Uint8Array, fixed: readonly Uint8Array[]): boolean {
  let at = 0;
  while (at < code.length) {
    if (built[at] === code[at]) {
      at += 1;
      continue;
    }
    const end = placeholderAround(built, code, { at, fixed });
    if (end === undefined) return false;
    at = end;
  }
  return true;
}

/** The end of a placeholder that holds the first byte which differs, filled with one of the values. */
function placeholderAround(
  built: Uint8Array,
  code: Uint8Array,
  { at, fixed }: { readonly at: number; readonly fixed: readonly Uint8Array[] },
): number | undefined {
  for (let start = Math.max(0, at - wordBytes + 1); start <= at; start++) {
    const place = built.subarray(start, start + wordBytes);
    if (place.length < wordBytes || place.some((byte) => byte !== 0)) continue;
    const found = code.subarray(start, start + wordBytes);
    if (fixed.some((value) => value.every((byte, index) => byte === found[index]))) return start + wordBytes;
  }
  return undefined;
}
