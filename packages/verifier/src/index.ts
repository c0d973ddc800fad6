import { verifyCertificate } from './certificate-check.ts';
import { examineWith } from './examine.ts';
import type { Examination } from './order.ts';
import { recognise } from './recognition.ts';
import type { Report } from './report.ts';

export { headerFields } from './block-header.ts';
export { type ChainNode, httpNode } from './chain-node.ts';
export {
  type Examination,
  type GivenFile,
  type OwnKnowledge,
  type PinnedLog,
  type PinnedRegistry,
  type PinnedToken,
  type Pins,
  type VaultBuild,
} from './order.ts';
export { type Recognised, recognise } from './recognition.ts';
export { type Report, type Step, type StepName, stepNames } from './report.ts';

/**
 * Examines packages of clients, and certificates and records of signers. `@bulkhead/verifier/whole` has a function of the same form that
 * examines everything else as well, at twice the size.
 */
export async function examine(order: Examination): Promise<Report> {
  return await examineWith(
    {
      recognise,
      certificate: verifyCertificate,
      log: async () => await Promise.resolve([]),
      epoch: async () => await Promise.resolve([]),
      elsewhere: 'The file is cut off, or nothing that is checked here: the whole verifier knows more files.',
    },
    order,
  );
}
