import { readFileSync } from 'node:fs';
import { type Address, type ChainId, CustodyError, parseAddress, parseChainId } from '@bulkhead/domain';
import { bytesOf, type Hex, hexOf, parseInitialPolicy, parseVaultConfig, type VaultTerms } from '@bulkhead/vaults';

/** What a certificate says about a vault: all that is needed to deploy it and to leave it. */
export type CertifiedTerms = VaultTerms & {
  /** Undefined in a file that has the bare terms. */
  readonly chain: ChainId | undefined;
  readonly address: Address | undefined;
  readonly factory: Address | undefined;
  /** The client key's signature over the terms, as contracts take it. */
  readonly agreement: Hex | undefined;
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
  const [fields, ...others] = termsIn(text, 0);
  if (fields === undefined) throw unusable(path, 'it has no configuration and initial policy of a vault');
  // Each signer states the same; who signed what else is no matter of these terms.
  const said = (each: ReadonlyMap<string, unknown>): string =>
    JSON.stringify(['config', 'policy', 'chain', 'address', 'factory', 'agreement'].map((name) => each.get(name)));
  if (others.some((other) => said(other) !== said(fields))) {
    throw unusable(path, 'its statements contradict each other');
  }
  try {
    const word = (name: string): string | undefined => {
      const value = fields.get(name);
      return typeof value === 'string' ? value : undefined;
    };
    const [chain, address, factory, agreement] = [word('chain'), word('address'), word('factory'), word('agreement')];
    return {
      config: parseVaultConfig(fields.get('config')),
      policy: parseInitialPolicy(fields.get('policy')),
      chain: chain === undefined ? undefined : parseChainId(chain),
      address: address === undefined ? undefined : parseAddress(address),
      factory: factory === undefined ? undefined : parseAddress(factory),
      agreement: agreement === undefined ? undefined : hexOf(bytesOf(`0x${agreement.replace(/^0x/u, '')}`)),
    };
  } catch (cause) {
    throw unusable(path, cause instanceof Error ? cause.message : 'it is malformed', cause);
  }
}

const depthMax = 6;

/** The fields beside each `config` and `policy`, wherever in the file they stand. */
function termsIn(value: unknown, depth: number): readonly ReadonlyMap<string, unknown>[] {
  if (depth > depthMax) return [];
  if (typeof value === 'string') {
    const json = value.startsWith(statementHeader) ? value.slice(statementHeader.length) : value;
    const start = json.trimStart().charAt(0);
    if (start !== '{' && start !== '[') return [];
    try {
      return termsIn(JSON.parse(json), depth + 1);
    } catch {
      return [];
    }
  }
  if (typeof value !== 'object' || value === null) return [];
  const fields = new Map<string, unknown>(Object.entries(value));
  if (fields.has('config') && fields.has('policy')) return [fields];
  return [...fields.values()].flatMap((entry) => termsIn(entry, depth + 1));
}

function unusable(path: string, fact: string, cause?: unknown): CustodyError {
  return new CustodyError(
    'vault/certificate',
    `${path} is no certificate of a vault: ${fact}. Give the file that was handed over with the address.`,
    { cause },
  );
}
