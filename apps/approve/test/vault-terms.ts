import { nobleHashes } from '@bulkhead/authority';
import { parseAddress } from '@bulkhead/domain';
import {
  agreementData,
  agreementDigest,
  hexOf,
  type InitialPolicy,
  initialPolicyText,
  nativeToken,
  policyHash,
  type VaultConfig,
  vaultConfigText,
  type VaultTerms,
} from '@bulkhead/vaults';
import { addressA, addressB, chain } from './installation.ts';

const day = 86_400n;
const word = (byte: string): `0x${string}` => `0x${byte.repeat(32)}`;

/** Where the vault of the tests is said to be. */
export const vault = parseAddress(`0x${'5a'.repeat(20)}`);

const policy: InitialPolicy = {
  destinations: [addressB],
  limits: [{ token: nativeToken, cap: 10n ** 18n }],
  unlisted: [],
};

/** Terms that nothing is unusual about, for the key of a client. */
export function termsFor(clientKey: `0x${string}`, own: Partial<VaultConfig> = {}): VaultTerms {
  const config: VaultConfig = {
    clientId: word('c1'),
    signerSet: addressA,
    feeReceiver: vault,
    exitDestination: addressA,
    clientKey,
    exitKey: word('0b'),
    policyHash: policyHash(nobleHashes, policy),
    kind: 'individual',
    feeBpsYear: 50n,
    windowSeconds: day,
    changeDelay: 2n * day,
    recoveryDelay: 14n * day,
    exitDelay: 14n * day,
    exitChangeDelay: 21n * day,
    heartbeatPeriod: 60n * day,
    pauseSeconds: 7n * day,
    ...own,
  };
  return { config, policy };
}

/** A vault as the API gives it, with what a lie changes. */
export function vaultFile(terms: VaultTerms, own: Readonly<Record<string, unknown>> = {}): string {
  const digest = hexOf(agreementDigest(nobleHashes, vault, terms));
  return JSON.stringify({
    id: 'vlt_1',
    chain,
    configuration: vaultConfigText(terms.config),
    policy: initialPolicyText(terms.policy),
    agreement: { digest, typedData: agreementData(vault, terms) },
    ...own,
  });
}
