import { sign } from 'node:crypto';
import { type Compartment, CustodyError, type KeyPath, type KeyRef, type Signature } from '@bulkhead/domain';
import type { HeadStore, IdentityKey, KeyDriver, RememberedHead } from '@bulkhead/keys';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { HARDENED_OFFSET, HDKey } from '@scure/bip32';
import type { LogKey } from '../options.ts';
import { edwardsKey, edwardsPublicKey } from './approver.ts';

function accountOf(seed: number, compartment: Compartment): HDKey {
  const master = HDKey.fromMasterSeed(new Uint8Array(32).fill(seed));
  return master
    .deriveChild(HARDENED_OFFSET + 44)
    .deriveChild(HARDENED_OFFSET + 60)
    .deriveChild(HARDENED_OFFSET + compartment);
}

/** A key of a tree whose seed is one byte over and over. */
export function treeNode(seed: number, { compartment, index }: KeyPath): HDKey {
  return accountOf(seed, compartment).deriveChild(0).deriveChild(index);
}

/**
 * Stands in for a hardware module: a tree of keys whose signatures differ from call to call, as those of modules do.
 */
export type TestDriver = KeyDriver & {
  /** How many signatures it has made. */
  readonly made: () => number;
  /** What the next signature waits for. */
  hold(until: Promise<void>): void;
  /** From now on every signature fails, or none does. */
  fail(failing: boolean): void;
};

export function testDriver(residency: KeyDriver['residency'] = 'hsm-sealed', seed = 7): TestDriver {
  const account = (compartment: Compartment): HDKey => accountOf(seed, compartment);
  const node = (key: KeyRef): HDKey => {
    if ('label' in key) throw new CustodyError('hsm/key-missing', 'A key of a tree was expected.');
    return account(key.compartment).deriveChild(0).deriveChild(key.index);
  };
  let made = 0;
  let failing = false;
  let held: Promise<void> = Promise.resolve();
  return {
    name: 'pkcs11-sealed-seed',
    residency,
    accountXpub: async (compartment) => account(compartment).publicExtendedKey,
    publicKey: async (key) => secp256k1.Point.fromBytes(node(key).publicKey ?? new Uint8Array()).toBytes(false),
    async sign(key, digest): Promise<Signature> {
      await held;
      if (failing) throw new CustodyError('hsm/unavailable', 'The module of the test does not answer.');
      made += 1;
      const secret = node(key).privateKey ?? new Uint8Array();
      const bytes = secp256k1.sign(digest, secret, {
        prehash: false,
        lowS: true,
        extraEntropy: true,
        format: 'recovered',
      });
      const { r, s, recovery } = secp256k1.Signature.fromBytes(bytes, 'recovered');
      return { r, s, yParity: recovery === 1 ? 1 : 0 };
    },
    health: async () => [{ name: 'test', healthy: !failing, detail: 'of a test' }],
    made: () => made,
    hold: (until) => {
      held = until;
    },
    fail: (next) => {
      failing = next;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

export function testIdentity(name = 'identity'): IdentityKey {
  const privateKey = edwardsKey(name);
  return {
    publicKey: edwardsPublicKey(privateKey),
    residency: 'hsm-sealed',
    sign: async (message) => sign(null, message, privateKey),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** The key of the audit log, in a token that answers. */
export function testLogKey(): LogKey {
  const key = testIdentity('log key');
  return { residency: 'hsm', open: async () => key };
}

/** A slot that can go away, come back, and be set to anything. */
export type TestHeads = HeadStore & {
  head: RememberedHead | undefined;
  claim: string | undefined;
  down: boolean;
  /** Fails after the write has happened, as a module that answers too late. */
  late: boolean;
  /** What writes wait for. */
  held: Promise<void>;
};

export function testHeads(name = 'slot-1'): TestHeads {
  const store: TestHeads = {
    name,
    protects: true,
    head: undefined,
    claim: undefined,
    down: false,
    late: false,
    held: Promise.resolve(),
    async read() {
      if (store.down) throw new CustodyError('hsm/unavailable', `Slot ${name} does not answer.`);
      return store.head;
    },
    async write(head) {
      await store.held;
      if (store.down) throw new CustodyError('hsm/unavailable', `Slot ${name} does not answer.`);
      store.head = head;
      if (store.late) throw new CustodyError('hsm/unavailable', `Slot ${name} answers too late.`);
    },
    async readClaim() {
      if (store.down) throw new CustodyError('hsm/unavailable', `Slot ${name} does not answer.`);
      return store.claim;
    },
    async writeClaim(claim) {
      if (store.down) throw new CustodyError('hsm/unavailable', `Slot ${name} does not answer.`);
      store.claim = claim;
    },
  };
  return store;
}
