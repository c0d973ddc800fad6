import type { ProofFile } from '@bulkhead/proofs';
import { bytesToHex } from '@noble/hashes/utils.js';
import { contextOf } from '@bulkhead/proofs';
import { examineWith, type GivenEpoch } from './examine.ts';
import { type LogFile, logSteps } from './log-check.ts';
import { verifyShown } from './move-check.ts';
import type { Examination, GivenFile } from './order.ts';
import { proofSteps, type WholeProof } from './proof-check.ts';
import type { Recognised } from './recognition.ts';
import { about, type Report, type Step, unknown } from './report.ts';
import { segregationSteps } from './segregation-check.ts';
import { askSigners, signersStep, statementSteps } from './statement-check.ts';
import { recogniseAll } from './whole-recognition.ts';

export { type CertificateKnowledge, type Told } from './certificate-check.ts';
export { verifyShown } from './move-check.ts';
export { publishedBuild } from './vault-build.ts';
export { recogniseAll } from './whole-recognition.ts';

/**
 * Examines everything that somebody may be given: packages, balance statements, proofs of segregation, whole proofs, certificates and
 * records of signers, certificates of moves, receipts, checkpoints and proofs of their consistency.
 */
export async function examine(order: Examination): Promise<Report> {
  return await examineWith(
    {
      recognise: recogniseAll,
      certificate: verifyShown,
      log: async (found, given) => await logSteps(found.flatMap(logFileOf), given),
      epoch: epochSteps,
      elsewhere: 'The file is cut off, or nothing that is checked here.',
    },
    order,
  );
}

function logFileOf(each: Recognised): readonly LogFile[] {
  if (each.kind === 'checkpoint' || each.kind === 'consistency') {
    return [{ kind: each.kind, name: each.file.name, note: each.note }];
  }
  return each.kind === 'receipt' ? [{ kind: 'receipt', name: each.file.name, receipt: each.value }] : [];
}

async function epochSteps(order: Examination, given: GivenEpoch): Promise<readonly Step[]> {
  const { pinned, found, isOurs, leaf } = given;
  const proof = proofOf(given);
  const statements = found.flatMap((each) => (each.kind === 'statement' && isOurs(each.header) ? [each.file] : []));
  const asksQuorum = statements.length > 0 || proof?.files.has('statements.bin') === true;
  const set = asksQuorum ? await askSigners(pinned) : unknown('signers', 'Nobody asked.');
  const steps: Step[] = asksQuorum ? [signersStep(set)] : [];
  for (const { name, bytes } of statements) {
    steps.push(...about(name, statementSteps(bytes, { own: order.pins.own, pinned, set, leaf })));
  }
  for (const each of found) {
    if (each.kind !== 'segregation' || !isOurs(each.header)) continue;
    steps.push(...about(each.file.name, await segregationSteps(each.file.bytes, order, pinned)));
  }
  if (proof !== undefined) steps.push(...(await proofSteps({ order, pinned, proof, set })));
  return steps;
}

/** The files of the whole proof of an epoch; undefined where there is none of it. */
function proofOf({ pinned, found, isOurs, alone }: GivenEpoch): WholeProof | undefined {
  const key = bytesToHex(contextOf(pinned.header));
  const manifests = found.flatMap((each) => (each.kind === 'manifest' ? [each.manifest] : []));
  const manifest = manifests.find(({ context }) => bytesToHex(context) === key);
  const files = new Map<ProofFile, GivenFile>();
  for (const each of found) {
    if (each.kind !== 'part') continue;
    if (each.header === undefined ? alone : isOurs(each.header)) files.set(each.part, each.file);
  }
  return files.size === 0 && manifest === undefined ? undefined : { header: pinned.header, manifest, files };
}
