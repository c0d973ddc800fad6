import { ed25519 } from '@noble/curves/ed25519.js';
import type { VerifyEd25519 } from './examination.ts';

/**
 * Verifies an Ed25519 signature (RFC 8032) with the browser's own implementation, and with the one in JavaScript where the browser
 * has none or the page is not in a secure context.
 */
export const verifyEd25519: VerifyEd25519 = async ({ publicKey, message, signature }) => {
  const key = await nativeKey(publicKey);
  // Copies, because the browser takes only views of memory that is not shared.
  if (key !== undefined) {
    return crypto.subtle.verify('Ed25519', key, Uint8Array.from(signature), Uint8Array.from(message));
  }
  return ed25519.verify(signature, message, publicKey, { zip215: false });
};

type NativeKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

async function nativeKey(publicKey: Uint8Array): Promise<NativeKey | undefined> {
  try {
    return await crypto.subtle.importKey('raw', Uint8Array.from(publicKey), 'Ed25519', false, ['verify']);
  } catch {
    // No such algorithm, no such interface, or no point: the other implementation decides.
    return undefined;
  }
}
