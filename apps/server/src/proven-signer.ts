import type { Signer } from '@bulkhead/domain';
import { type Pinned, verifyStatement } from '@bulkhead/signer-client';

/** The signer, whose certificates of addresses reach nobody, and no table, before a pinned identity is found to have signed them. */
export function provenSigner(signer: Signer, { identities, deployment }: Pinned): Signer {
  return {
    status: () => signer.status(),
    account: (compartment) => signer.account(compartment),
    wallet: (key) => signer.wallet(key),
    certifyAddress: async (claim) => {
      const certificate = await signer.certifyAddress(claim);
      const { client, chain } = claim;
      verifyStatement(certificate, identities, { kind: 'address-certificate', deployment, client, chain });
      return certificate;
    },
    outlook: (intent, evidence) => signer.outlook(intent, evidence),
    lodge: (intent, approval) => signer.lodge(intent, approval),
    sign: (request) => signer.sign(request),
    change: (change) => signer.change(change),
    records: (after, limit) => signer.records(after, limit),
  };
}
