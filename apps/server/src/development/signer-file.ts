import { join } from 'node:path';
import type { SignerOrder as LaunchOrder } from '@bulkhead/signer/launch';
import { identityLabel, logLabel, slots } from './set-up-order.ts';

/** Where the keys of signers for development are. */
export type DevelopmentKeys = 'softhsm' | 'software';

export type SignerFileOrder = {
  readonly keys: DevelopmentKeys;
  readonly socket: string;
  /** Whether it has the key of the audit log: the first has it, and no other. */
  readonly hasLog: boolean;
};

/** Configuration of a signer process, as `apps/signer` reads it. */
export function signerFile(directory: string, { keys, socket, hasLog }: SignerFileOrder): LaunchOrder['configuration'] {
  const common = {
    format: 'bulkhead-signer-configuration-v1',
    development: true,
    state: join(directory, 'state'),
    socket: { path: socket, mode: '0600' },
  } as const;
  if (keys === 'software') {
    return {
      ...common,
      tree: {
        driver: 'software',
        file: join(directory, 'keys', 'keys.json'),
        passphraseFile: join(directory, 'keys', 'passphrase'),
      },
      identities: [{ driver: 'software' }],
      ...(hasLog ? { logKey: { driver: 'software' } } : {}),
    };
  }
  return {
    ...common,
    tokens: slots.map((name) => ({
      name,
      library: join(directory, 'hsm', name, 'libsofthsm2.so'),
      label: name,
      pinFile: join(directory, 'hsm', name, 'pin'),
      environment: { SOFTHSM2_CONF: join(directory, 'hsm', name, 'softhsm2.conf') },
    })),
    tree: { driver: 'pkcs11-sealed-seed', envelope: join(directory, 'keys', 'seed.json'), tokens: [...slots] },
    identities: slots.map((token) => ({ driver: 'pkcs11', token, label: identityLabel })),
    ...(hasLog ? { logKey: { driver: 'pkcs11', token: slots[0], label: logLabel } } : {}),
  };
}
