import { type Address, parseAddress } from '@bulkhead/domain';
import { accountSignature, type ClientKey, type Hex, hexOf } from '@bulkhead/vaults';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { fakeKeccak } from './vault-program.ts';

/** A key of a client in software. Its signatures are real: what custody takes from clients it verifies by itself. */
export type SoftwareKey = { readonly key: ClientKey; readonly sign: (digest: Uint8Array) => Hex };

/** The key of a number from 1 to 255. */
export function softwareKey(number: number): SoftwareKey {
  const secret = Uint8Array.from({ length: 32 }, (_, at) => (at === 31 ? number : 7));
  const address = addressOfPoint(secp256k1.getPublicKey(secret, false));
  return {
    key: { kind: 'secp256k1', address },
    sign: (digest) => {
      const signed = secp256k1.sign(digest, secret, { prehash: false, format: 'recovered' });
      const { r, s, recovery } = secp256k1.Signature.fromBytes(signed, 'recovered');
      return accountSignature({ r, s, yParity: recovery === 1 ? 1 : 0 });
    },
  };
}

function addressOfPoint(point: Uint8Array): Address {
  return parseAddress(`0x${hexOf(fakeKeccak.keccak256(point.subarray(1))).slice(-40)}`);
}
