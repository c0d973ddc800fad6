import { type DescriptionLine, describeVaultTerms, type KnownAssets, nobleHashes } from '@bulkhead/authority';
import { type Address, type ChainId, CustodyError, nativeAsset, parseAddress, parseChainId } from '@bulkhead/domain';
import {
  agreementDigest,
  assertVaultTerms,
  parseInitialPolicy,
  parseVaultConfig,
  type VaultTerms,
} from '@bulkhead/vaults';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Notice } from './notice-shown.ts';
import { vaultTermsNotices } from './vault-notice.ts';

/** What a client is asked to agree to before there is a vault. Nothing of it is believed yet. */
export type AgreementRequest = {
  readonly chain: ChainId;
  /** Where the vault is said to be. */
  readonly vault: Address;
  readonly terms: VaultTerms;
  /** What is said to be signed, hex, if anything is. */
  readonly digest: string | undefined;
};

/** What a client is shown before signing: read from the terms themselves. */
export type AgreementExamination = {
  readonly vault: Address;
  readonly terms: VaultTerms;
  /** Keccak-256 of the typed data, hex: what the key signs. */
  readonly digest: string;
  readonly lines: readonly DescriptionLine[];
  /** The gravest first. */
  readonly notices: readonly Notice[];
  /** Why this must not be signed. */
  readonly refusal?: string;
};

/** Whether a text is a vault as the server gives it, and no intent. */
export function isAgreement(text: string): boolean {
  const fields = fieldsOf(text);
  return fields?.has('configuration') === true && fields.has('policy');
}

/**
 * Reads a vault as the API gives it: `chain`, `configuration`, `policy`, and what is to be signed as `agreement`. Other fields are not
 * looked at, because whoever wrote them may lie.
 *
 * @throws CustodyError `request/malformed`, `vault/configuration` and the faults of the field parsers
 */
export function readAgreement(text: string): AgreementRequest {
  const fields = fieldsOf(text);
  const chain = fields?.get('chain');
  const agreement = mapOf(fields?.get('agreement'));
  const domain = mapOf(mapOf(agreement?.get('typedData'))?.get('domain'));
  const vault = domain?.get('verifyingContract');
  const digest = agreement?.get('digest');
  if (fields === undefined || typeof chain !== 'string' || typeof vault !== 'string') {
    throw new CustodyError(
      'request/malformed',
      'The file has not the form of a vault to agree to: chain, configuration, policy, and the agreement with the address of the vault. Load it again.',
    );
  }
  return {
    chain: parseChainId(chain),
    vault: parseAddress(vault),
    terms: { config: parseVaultConfig(fields.get('configuration')), policy: parseInitialPolicy(fields.get('policy')) },
    digest: typeof digest === 'string' ? digest.replace(/^0x/u, '') : undefined,
  };
}

/** Says what the terms mean, what is unusual about them, and what signing them would be over. */
export function examineAgreement({ chain, vault, terms, digest: claimed }: AgreementRequest): AgreementExamination {
  const digest = bytesToHex(agreementDigest(nobleHashes, vault, terms));
  const assets: KnownAssets = new Map([[nativeAsset(chain), { symbol: 'native coin', decimals: 18 }]]);
  const refusal = broken(terms, 'contract') ?? unlike(digest, claimed);
  const short = broken(terms, 'production');
  const development: readonly Notice[] =
    short === undefined || refusal !== undefined
      ? []
      : [{ level: 'danger', title: 'These terms are fit for a development chain alone', text: short }];
  return {
    vault,
    terms,
    digest,
    lines: [
      { name: 'Vault', value: vault },
      { name: 'Chain', value: chain },
      ...describeVaultTerms({ chain, ...terms }, assets),
    ],
    notices: [...development, ...vaultTermsNotices({ chain, ...terms }, assets)].sort(
      (a, b) => gravity[a.level] - gravity[b.level],
    ),
    ...(refusal === undefined ? {} : { refusal }),
  };
}

const gravity: Readonly<Record<Notice['level'], number>> = { danger: 0, warning: 1, information: 2 };

function broken(terms: VaultTerms, profile: 'contract' | 'production'): string | undefined {
  try {
    assertVaultTerms(nobleHashes, terms, profile);
    return undefined;
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return error.message;
  }
}

function unlike(digest: string, claimed: string | undefined): string | undefined {
  if (claimed === undefined || claimed === digest) return undefined;
  return `What would be signed is not what is shown: these terms have the digest ${digest}, and ${claimed.slice(0, 64)} came along. Somebody lies.`;
}

type Fields = ReadonlyMap<string, unknown>;

function fieldsOf(text: string): Fields | undefined {
  try {
    return mapOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function mapOf(value: unknown): Fields | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return new Map<string, unknown>(Object.entries(value));
}
