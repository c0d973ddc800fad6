import { nobleHashes, type Statement, vaultTermsOf } from '@bulkhead/authority';
import {
  type Address,
  type Compartment,
  CustodyError,
  type ForwarderClaim,
  parseAddress,
  type SignedStatement,
  type VaultClaim,
} from '@bulkhead/domain';
import { forwarderAddress, vaultAddress, type VaultTerms } from '@bulkhead/vaults';
import { type Pinned, verifyStatement } from './verification.ts';

/** What a certificate of a vault vouches for: enough to deploy it, and to leave it without us. */
export type CertifiedVault = VaultTerms & {
  readonly factory: Address;
  readonly vaultImplementation: Address;
  readonly forwarderImplementation: Address;
  /** The client key's signature over the terms, as a contract takes it; lower-case hex. */
  readonly agreement: string;
};

/**
 * Verifies that a pinned identity vouches for exactly this vault, and that its address follows from the terms in the certificate: so
 * whoever holds the certificate needs to believe nobody.
 *
 * @throws CustodyError `signer/certificate-invalid`
 */
export function verifyVault(
  certificate: SignedStatement,
  claim: VaultClaim & { readonly compartment?: Compartment },
  { identities, deployment }: Pinned,
): CertifiedVault {
  const { chain, vault, compartment, client } = claim;
  const said = verifyStatement(certificate, identities, {
    kind: 'vault-certificate',
    deployment,
    chain,
    address: vault,
    ...(compartment === undefined ? {} : { compartment: `${compartment}` }),
  });
  return wrapped(() => {
    const terms = vaultTermsOf(said.fields);
    const whose = said.fields['client'];
    if (terms.config.kind === 'individual' ? whose !== client : whose !== undefined) {
      throw new CustodyError('signer/certificate-invalid', 'it is of another client');
    }
    const certified = {
      ...terms,
      factory: addressIn(said, 'factory'),
      vaultImplementation: addressIn(said, 'vaultImplementation'),
      forwarderImplementation: addressIn(said, 'forwarderImplementation'),
      agreement: textIn(said, 'agreement'),
    };
    const address = vaultAddress(nobleHashes, certified, terms.config);
    if (address !== vault || textIn(said, 'signerSet') !== terms.config.signerSet) {
      throw new CustodyError('signer/certificate-invalid', `its terms lead to ${address}, and it is about ${vault}`);
    }
    return certified;
  });
}

/**
 * Verifies that a pinned identity vouches for exactly this forwarder, and gives its address, which follows from vault and salt.
 *
 * @throws CustodyError `signer/certificate-invalid`
 */
export function verifyForwarder(
  certificate: SignedStatement,
  claim: ForwarderClaim & { readonly compartment?: Compartment },
  { identities, deployment }: Pinned,
): Address {
  const { client, chain, vault, salt, compartment } = claim;
  const said = verifyStatement(certificate, identities, {
    kind: 'forwarder-certificate',
    deployment,
    client,
    chain,
    vault,
    salt,
    ...(compartment === undefined ? {} : { compartment: `${compartment}` }),
  });
  return wrapped(() => {
    const system = {
      factory: addressIn(said, 'factory'),
      forwarderImplementation: addressIn(said, 'forwarderImplementation'),
    };
    const address = forwarderAddress(nobleHashes, system, { vault, salt: `0x${salt}` });
    if (address === said.fields['address']) return address;
    throw new CustodyError('signer/certificate-invalid', `vault and salt lead to ${address}, and it says another`);
  });
}

function addressIn(said: Statement, name: string): Address {
  return parseAddress(textIn(said, name));
}

function textIn({ fields }: Statement, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
}

/** Whatever is wrong with what it says, it is the certificate that is of no use. */
function wrapped<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof CustodyError)) throw cause;
    throw new CustodyError(
      'signer/certificate-invalid',
      `This certificate does not hold: ${cause.message}. Use no address from it; find out who changed it.`,
      { cause },
    );
  }
}
