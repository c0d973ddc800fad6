import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { exactly, malformed, wordBytes } from './fixed-width.ts';

/**
 * Keys of one epoch and asset, 32 bytes each, from which every salt, blinding and order follows. Another context gives other
 * keys, so that nothing links a client over epochs; the same context and claims give the same bytes.
 */
export type EpochSecrets = {
  readonly salt: Uint8Array;
  readonly pad: Uint8Array;
  readonly blinding: Uint8Array;
  readonly order: Uint8Array;
  readonly nonce: Uint8Array;
  /** Of salts in the tree of balance statements: an opened leaf of one tree says nothing about the other. */
  readonly statement: Uint8Array;
};

/** @param master at least 32 bytes of a uniform secret @throws CustodyError `proof/malformed` */
export function epochSecrets(master: Uint8Array, context: Uint8Array): EpochSecrets {
  if (master.length < wordBytes) throw malformed(`the master secret has ${master.length} bytes, at least ${wordBytes}`);
  exactly(context, wordBytes, 'a context');
  const key = (use: string): Uint8Array =>
    hkdf(sha256, master, context, utf8ToBytes(`bulkhead/reserves/v1/${use}`), wordBytes);
  return {
    salt: key('salt'),
    pad: key('pad'),
    blinding: key('blinding'),
    order: key('order'),
    nonce: key('nonce'),
    statement: key('statement'),
  };
}
