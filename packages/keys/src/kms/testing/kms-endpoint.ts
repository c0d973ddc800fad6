import { once } from 'node:events';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { secp256k1 } from '@noble/curves/secp256k1.js';

/** Answers DescribeKey, GetPublicKey and Sign as AWS KMS does, over HTTP, for one key. */
export type KmsEndpoint = AsyncDisposable & {
  readonly url: string;
  readonly publicKey: Uint8Array;
  /** The next so many calls are turned away as too many. */
  throttle(calls: number): void;
  /** The next answer to Sign carries these bytes. */
  spoil(signature: Uint8Array): void;
  /** What DescribeKey says of the key from now on. */
  describe(said: { readonly Origin?: string; readonly KeyState?: string }): void;
  readonly seen: { calls: number; high: number };
};

const spkiHeader = '3056301006072a8648ce3d020106052b8104000a034200';

function field(body: unknown, name: string): string {
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined;
  return typeof value === 'string' ? value : '';
}

/** Every other signature has its `s` in the upper half, as on average with AWS. */
export async function startKmsEndpoint(alias: string): Promise<KmsEndpoint> {
  const key = secp256k1.utils.randomSecretKey();
  const publicKey = secp256k1.getPublicKey(key, false);
  const seen = { calls: 0, high: 0 };
  const arn = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
  let described: Readonly<Record<string, string>> = { Origin: 'AWS_KMS', KeyState: 'Enabled' };
  let throttled = 0;
  let spoilt: Uint8Array | undefined;
  const sign = (digest: Uint8Array): Uint8Array => {
    if (spoilt !== undefined) return spoilt;
    const { r, s } = secp256k1.Signature.fromBytes(secp256k1.sign(digest, key, { prehash: false }));
    const high = seen.calls % 2 === 0;
    if (high) seen.high += 1;
    return new secp256k1.Signature(r, high ? secp256k1.Point.Fn.ORDER - s : s).toBytes('der');
  };
  const answer = (target: string, body: unknown): readonly [status: number, body: unknown] => {
    seen.calls += 1;
    if (throttled > 0) {
      throttled -= 1;
      return [400, { __type: 'ThrottlingException', message: 'Rate exceeded' }];
    }
    if (![alias, arn].includes(field(body, 'KeyId'))) {
      return [400, { __type: 'NotFoundException', message: 'not found' }];
    }
    if (target === 'TrentService.DescribeKey') {
      return [200, { KeyMetadata: { KeyId: arn.split('/')[1], Arn: arn, KeySpec: 'ECC_SECG_P256K1', ...described } }];
    }
    if (target === 'TrentService.GetPublicKey') {
      const der = Buffer.concat([Buffer.from(spkiHeader, 'hex'), publicKey]).toString('base64');
      return [200, { KeyId: alias, KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY', PublicKey: der }];
    }
    const digest = Buffer.from(field(body, 'Message'), 'base64');
    const good =
      field(body, 'MessageType') === 'DIGEST' &&
      field(body, 'SigningAlgorithm') === 'ECDSA_SHA_256' &&
      digest.length === 32;
    if (target !== 'TrentService.Sign' || !good) return [400, { __type: 'ValidationException', message: 'malformed' }];
    return [200, { KeyId: alias, Signature: Buffer.from(sign(digest)).toString('base64') }];
  };
  const server = createServer((incoming, outgoing) => {
    const reply = (body: unknown): void => {
      const [status, text] = answer(String(incoming.headers['x-amz-target']), body);
      outgoing.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(text));
    };
    json(incoming).then(reply, (error: unknown) => outgoing.destroy(new Error('No JSON was sent.', { cause: error })));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    publicKey,
    seen,
    throttle: (calls) => (throttled = calls),
    describe: (said) => (described = { ...described, ...said }),
    spoil: (signature) => (spoilt = signature),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
