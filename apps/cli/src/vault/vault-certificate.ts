import { readFileSync } from 'node:fs';
import { type Address, type ChainId, CustodyError, parseAddress, parseChainId } from '@bulkhead/domain';
import { parseInitialPolicy, parseVaultConfig, type VaultTerms } from '@bulkhead/vaults';

/** What a certificate says about a vault: all that is needed to deploy it and to leave it. */
export type CertifiedTerms = VaultTerms & {
  /** Undefined in a file that has the bare terms. */
  readonly chain: ChainId | undefined;
  readonly address: Address | undefined;
  readonly factory: Address | undefined;
};

/** Bytes of a certificate file. */
const certificateBytesMax = 1_000_000;

const statementHeader = 'bulkhead-statement-v1\n';

/**
 * Reads the terms of a vault from a certificate as the API gave it, from the text that a signer signed, or from the bare terms in
 * JSON. Who signed it does not matter here: an address follows from its terms, or it does not.
 *
 * @throws CustodyError `vault/certificate`
 */
export function readCertificate(path: string): CertifiedTerms {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw unusable(path, 'it cannot be read', cause);
  }
  if (text.length > certificateBytesMax) throw unusable(path, `it has more than ${certificateBytesMax} characters`);
  const fields = termsIn(text, 0);
  if (fields === undefined) throw unusable(path, 'it has no configuration and initial policy of a vault');
  try {
    const word = (name: string): string | undefined => {
      const value = fields.get(name);
      return typeof value === 'string' ? value : undefined;
    };
    const [chain, address, factory] = [word('chain'), word('address'), word('factory')];
    return {
      config: parseVaultConfig(fields.get('config')),
      policy: parseInitialPolicy(fields.get('policy')),
      chain: chain === undefined ? undefined : parseChainId(chain),
      address: address === undefined ? undefined : parseAddress(address),
      factory: factory === undefined ? undefined : parseAddress(factory),
    };
  } catch (cause) {
    throw unusable(path, cause instanceof Error ? cause.message : 'it is malformed', cause);
  }
}

const depthMax = 4;

/** The fields beside `config` and `policy`, wherever in the file they stand. */
function termsIn(value: unknown, depth: number): ReadonlyMap<string, unknown> | undefined {
  if (depth > depthMax) return undefined;
  if (typeof value === 'string') {
    const json = value.startsWith(statementHeader) ? value.slice(statementHeader.length) : value;
    const start = json.trimStart().charAt(0);
    if (start !== '{' && start !== '[') return undefined;
    try {
      return termsIn(JSON.parse(json), depth + 1);
    } catch {
      return undefined;
    }
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(value));
  if (fields.has('config') && fields.has('policy')) return fields;
  for (const entry of fields.values()) {
    const found = termsIn(entry, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function unusable(path: string, fact: string, cause?: unknown): CustodyError {
  return new CustodyError(
    'vault/certificate',
    `${path} is no certificate of a vault: ${fact}. Give the file that was handed over with the address.`,
    { cause },
  );
}
