import { type Address, parseAddress } from '@bulkhead/domain';
import { type Hex, type InitialPolicy, type Keccak, policyHash, type VaultConfig, type VaultTerms } from '../index.ts';

/** An address of twenty equal bytes. */
export function addressOf(byte: number): Address {
  return parseAddress(`0x${byte.toString(16).padStart(2, '0').repeat(20)}`);
}

/** A word of 32 equal bytes. */
export function wordOfByte(byte: number): Hex {
  return `0x${byte.toString(16).padStart(2, '0').repeat(32)}`;
}

export const examplePolicy: InitialPolicy = {
  destinations: [addressOf(0xd1), addressOf(0xd2)],
  limits: [
    { token: addressOf(0), cap: 10n ** 19n },
    { token: addressOf(0xc0), cap: 5_000_000_000n },
  ],
  unlisted: [],
};

/** Terms that production takes. */
export function exampleTerms(hashes: Keccak): VaultTerms {
  const config: VaultConfig = {
    clientId: wordOfByte(0x11),
    signerSet: addressOf(0x51),
    feeReceiver: addressOf(0xfe),
    exitDestination: addressOf(0xe1),
    clientKey: `0x${'0'.repeat(24)}${'a1'.repeat(20)}`,
    exitKey: wordOfByte(0xb1),
    policyHash: policyHash(hashes, examplePolicy),
    kind: 'individual',
    feeBpsYear: 50n,
    windowSeconds: 86_400n,
    changeDelay: 172_800n,
    recoveryDelay: 1_209_600n,
    exitDelay: 1_209_600n,
    exitChangeDelay: 1_814_400n,
    heartbeatPeriod: 7_776_000n,
    pauseSeconds: 259_200n,
  };
  return { config, policy: examplePolicy };
}
