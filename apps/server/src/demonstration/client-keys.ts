import {
  createPrivateKey,
  createPublicKey,
  createSign,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { nobleHashes } from '@bulkhead/authority';
import { invariant, parseAddress } from '@bulkhead/domain';
import {
  accountSignature,
  type ClientKey,
  type Hex,
  hexOf,
  type PasskeyPoint,
  passkeySignature,
  pointOfBytes,
} from '@bulkhead/vaults';
import { privateKeyToAddress, sign } from 'viem/accounts';
import { privateText } from '../private-file.ts';

/** A key of a client of the demonstration. No server has it: the file is read by whoever plays the client. */
export type KeyInHand = {
  readonly key: ClientKey;
  /** Signs the 32 bytes that a vault checks, in the form that it takes. */
  sign(digest: Uint8Array): Promise<Hex>;
};

/** An account of a wallet, made where there is none. */
export function accountInHand(path: string): KeyInHand {
  const text = privateText(path, () => randomBytes(32).toString('hex'));
  const privateKey: Hex = `0x${text}`;
  return {
    key: { kind: 'secp256k1', address: parseAddress(privateKeyToAddress(privateKey)) },
    sign: async (digest) => {
      const { r, s, yParity } = await sign({ hash: hexOf(digest), privateKey });
      return accountSignature({ r: BigInt(r), s: BigInt(s), yParity: yParity === 1 ? 1 : 0 });
    },
  };
}

/** Present and verified: what a vault wants an authenticator to have seen of its user. */
const presentAndVerified = 0x05;
const relyingParty = 'localhost';
const origin = 'http://localhost';

/**
 * A passkey of an authenticator in software, made where there is none. Authenticators sign the same differently each time; this one keeps
 * what it has signed beside the key, so that a story that is played again asks for the same again.
 */
export function passkeyInHand(path: string): KeyInHand {
  const pem = privateText(path, () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  });
  const privateKey = createPrivateKey(pem);
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const point = pointOfBytes(Uint8Array.from(spki.subarray(-65)));
  return {
    key: { kind: 'passkey', point },
    sign: (digest) => {
      const text = privateText(`${path}.${hexOf(digest).slice(2, 18)}.signed`, () =>
        assertion({ privateKey, point }, digest),
      );
      invariant(text.startsWith('0x'), 'A signature is hex.');
      return Promise.resolve(`0x${text.slice(2)}` as const);
    },
  };
}

function assertion(
  { privateKey, point }: { readonly privateKey: KeyObject; readonly point: PasskeyPoint },
  digest: Uint8Array,
): Hex {
  const { clientData, authenticatorData } = assertionOver(digest);
  const signed = Buffer.concat([authenticatorData, nobleHashes.sha256(clientData)]);
  const signature = createSign('SHA256').update(signed).sign(privateKey);
  return passkeySignature(point, {
    authenticatorData: hexOf(authenticatorData),
    clientDataJson: hexOf(clientData),
    signature: hexOf(Uint8Array.from(signature)),
  });
}

/** What an authenticator signs when a page asks it about a challenge (W3C WebAuthn level 3). */
function assertionOver(digest: Uint8Array): {
  readonly clientData: Uint8Array;
  readonly authenticatorData: Uint8Array;
} {
  invariant(digest.length === 32, 'A vault checks 32 bytes.');
  const challenge = Buffer.from(digest).toString('base64url');
  const clientData = Buffer.from(JSON.stringify({ type: 'webauthn.get', challenge, origin, crossOrigin: false }));
  const count = Uint8Array.of(0, 0, 0, 1);
  const party = nobleHashes.sha256(Buffer.from(relyingParty));
  return { clientData, authenticatorData: Buffer.concat([party, Uint8Array.of(presentAndVerified), count]) };
}
