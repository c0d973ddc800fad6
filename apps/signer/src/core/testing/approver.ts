import { createECDH, createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { type ApproverKey, eip712Digest, ed25519Message, nobleHashes } from '@bulkhead/authority';
import { type Approval, type Intent, intentDigest } from '@bulkhead/domain';
import { addressOfPublicKey } from '@bulkhead/keys';
import { secp256k1 } from '@noble/curves/secp256k1.js';

/** Where the approval page of the tests lives. */
export const page = { relyingParty: 'approve.example', origin: 'https://approve.example' } as const;

/** What an assertion says, and may say falsely. */
export type AssertionOptions = {
  readonly count?: number;
  readonly origin?: string;
  readonly relyingParty?: string;
  readonly flags?: number;
  readonly type?: string;
  readonly challenge?: string;
  /** Text of the client data instead of the one that a browser would write. */
  readonly clientData?: (honest: string) => string;
};

let counted = 0;

/** Counts of all passkeys of this process, rising. */
export function nextCount(): number {
  counted += 1;
  return counted;
}

export type Passkey = {
  readonly key: ApproverKey;
  approve(intent: Intent, options?: AssertionOptions): Extract<Approval, { readonly kind: 'webauthn' }>;
};

export type Wallet = {
  readonly key: ApproverKey;
  approve(intent: Intent, signed?: Intent): Extract<Approval, { readonly kind: 'eip712' }>;
};

export type Robot = {
  readonly key: ApproverKey;
  approve(intent: Intent, message?: Uint8Array): Extract<Approval, { readonly kind: 'ed25519' }>;
};

const userPresentAndVerified = 0x05;

/** A key of P-256 that follows from a name. */
export function passkeyMaterial(name: string): { readonly point: Buffer; readonly privateKey: KeyObject } {
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(seedOf(name));
  const point = curve.getPublicKey();
  const privateKey = createPrivateKey({
    key: {
      kty: 'EC',
      crv: 'P-256',
      d: curve.getPrivateKey().toString('base64url'),
      x: point.subarray(1, 33).toString('base64url'),
      y: point.subarray(33).toString('base64url'),
    },
    format: 'jwk',
  });
  return { point, privateKey };
}

/** A passkey in software. Its key follows from its name, so that another process has the same one. */
export function passkey(person: string, id = 'passkey'): Passkey {
  const { point, privateKey } = passkeyMaterial(`${person} ${id}`);
  const credential = seedOf(`credential ${person} ${id}`).toString('hex');
  return {
    key: { id, kind: 'webauthn', credential, publicKey: point.toString('hex'), ...page },
    approve(intent, options = {}) {
      const data = authenticatorData(options);
      const client = clientData(intent, options);
      const signed = Buffer.concat([data, createHash('sha256').update(client).digest()]);
      const signature = sign('sha256', signed, privateKey).toString('hex');
      const said = { authenticatorData: data.toString('hex'), clientDataJson: client.toString('hex') };
      return { person, key: id, kind: 'webauthn', ...said, signature };
    },
  };
}

function authenticatorData({ relyingParty = page.relyingParty, flags, count = nextCount() }: AssertionOptions): Buffer {
  const data = Buffer.alloc(37);
  createHash('sha256').update(relyingParty).digest().copy(data);
  data[32] = flags ?? userPresentAndVerified;
  data.writeUInt32BE(count, 33);
  return data;
}

function clientData(intent: Intent, options: AssertionOptions): Buffer {
  const { origin = page.origin, type = 'webauthn.get' } = options;
  const challenge = Buffer.from(options.challenge ?? intentDigest(intent), 'hex').toString('base64url');
  const honest = JSON.stringify({ type, challenge, origin, crossOrigin: false });
  return Buffer.from(options.clientData?.(honest) ?? honest, 'utf8');
}

/** A hardware wallet that signs typed data. `signed` is what it was shown, where that is something else. */
export function wallet(person: string, id = 'wallet'): Wallet {
  const secret = seedOf(`${person} ${id}`);
  const address = addressOfPublicKey(secp256k1.getPublicKey(secret, false));
  return {
    key: { id, kind: 'eip712', address },
    approve(intent, signed = intent) {
      const digest = eip712Digest(nobleHashes, signed);
      const bytes = secp256k1.sign(digest, secret, { prehash: false, lowS: true, format: 'recovered' });
      const v = (27 + (bytes[0] ?? 0)).toString(16);
      return { person, key: id, kind: 'eip712', signature: Buffer.from(bytes.subarray(1)).toString('hex') + v };
    },
  };
}

/** The same signature with its `s` in the upper half, which recovers to the same key. */
export function highS(approval: Extract<Approval, { readonly kind: 'eip712' }>): typeof approval {
  const r = approval.signature.slice(0, 64);
  const s = secp256k1.Point.Fn.ORDER - BigInt(`0x${approval.signature.slice(64, 128)}`);
  const v = approval.signature.endsWith('1b') ? '1c' : '1b';
  return { ...approval, signature: `${r}${s.toString(16).padStart(64, '0')}${v}` };
}

const edwardsPrefix = Buffer.from('302e020100300506032b657004220420', 'hex');

export function robot(person: string, id = 'robot'): Robot {
  const der = Buffer.concat([edwardsPrefix, seedOf(`${person} ${id}`)]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return {
    key: { id, kind: 'ed25519', publicKey: edwardsPublicKey(privateKey) },
    approve(intent, message = ed25519Message(intentDigest(intent))) {
      return { person, key: id, kind: 'ed25519', signature: sign(null, message, privateKey).toString('hex') };
    },
  };
}

export function edwardsPublicKey(privateKey: KeyObject): string {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  return Buffer.from(x ?? '', 'base64url').toString('hex');
}

export function edwardsKey(name: string): KeyObject {
  const der = Buffer.concat([edwardsPrefix, seedOf(name)]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

function seedOf(name: string): Buffer {
  return createHash('sha256').update(`of the tests: ${name}`).digest();
}
