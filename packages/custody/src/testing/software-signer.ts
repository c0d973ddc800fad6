import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { type Address, type Compartment, type KeyRef, type Outlook, parseAddress, type Signer } from '@bulkhead/domain';
import { fakeStatement, FakeSignerLog } from '@bulkhead/fakes';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';

function secretOf(key: KeyRef): Uint8Array {
  const name = 'label' in key ? key.label : String(key.index);
  return createHash('sha256').update(`${key.compartment}/${name}`).digest();
}

/** The address of a key of {@link softwareSigner}. */
export function addressOf(key: KeyRef): Address {
  const point = secp256k1.getPublicKey(secretOf(key), false);
  return parseAddress(
    `0x${Buffer.from(keccak_256(point.subarray(1)))
      .toString('hex')
      .slice(-40)}`,
  );
}

/** A signer of house wallets that asks nobody; what it would refuse is tested where real signers are. */
export function softwareSigner(): Signer {
  const log = new FakeSignerLog({ now: () => new Date() });
  log.append('opened', {});
  const certificate = fakeStatement('account-certificate', {});
  const outlook: Outlook = {
    approvalsNeeded: 0,
    requestNeeded: false,
    approvedBy: [],
    brief: fakeStatement('brief', {}),
  };
  const never = async (): Promise<never> => assert.fail('nobody asks for this here');
  return {
    status: never,
    lodge: never,
    change: never,
    wallet: never,
    certifyAddress: never,
    account: async (compartment: Compartment) => ({ compartment, xpub: 'xpub', residency: 'software', certificate }),
    outlook: async () => outlook,
    sign: async ({ key, unsigned }) => {
      const signed = secp256k1.Signature.fromBytes(
        secp256k1.sign(keccak_256(unsigned), secretOf(key), { prehash: false, format: 'recovered' }),
        'recovered',
      );
      const signature = { r: signed.r, s: signed.s, yParity: signed.recovery === 1 ? (1 as const) : (0 as const) };
      return { signature, record: log.append('granted', { id: randomUUID() }) };
    },
    records: async () => [],
  };
}
