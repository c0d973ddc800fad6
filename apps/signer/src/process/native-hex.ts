/**
 * Gives byte arrays the `toHex` and `fromHex` of ECMAScript 2026 where this Node lacks them, on top of Node's native ones. What is
 * written for browsers and Node alike uses them where it finds them, and otherwise goes digit by digit, which without a compiler for
 * JavaScript costs more than the hash of the same bytes.
 *
 * This is imported before anything else: packages look once, when they are loaded.
 */
function toHex(this: Uint8Array): string {
  return Buffer.from(this.buffer, this.byteOffset, this.byteLength).toString('hex');
}

function fromHex(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'hex');
  // Node stops in silence at what is no digit; the standard throws.
  if (bytes.length * 2 !== text.length) throw new SyntaxError('These are no pairs of hex digits.');
  return new Uint8Array(bytes);
}

const form = { writable: true, configurable: true, enumerable: false };
if (!('toHex' in Uint8Array.prototype)) Object.defineProperty(Uint8Array.prototype, 'toHex', { ...form, value: toHex });
if (!('fromHex' in Uint8Array)) Object.defineProperty(Uint8Array, 'fromHex', { ...form, value: fromHex });
