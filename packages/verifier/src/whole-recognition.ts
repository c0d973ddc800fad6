import {
  decodeHeader,
  fileDigest,
  headerLength,
  isArtefact,
  type Manifest,
  type ProofFile,
  proofFiles,
  readManifest,
  readPackage,
  readSegregation,
  readStatement,
  readStatementsFile,
  readWalletsFile,
  type ReserveHeader,
} from '@bulkhead/proofs';
import { equalBytes, fieldOf } from './bytes.ts';
import { isCertificate } from './certificate-check.ts';
import { isMove } from './move-check.ts';
import type { GivenFile } from './order.ts';
import { jsonOf, type Recognised, textOf } from './recognition.ts';

/** Says what files are. Those of a manifest among them are known by their digests, whatever they are called. */
export function recogniseAll(files: readonly GivenFile[]): readonly Recognised[] {
  const manifests = files.flatMap(({ bytes }) => readManifest(bytes) ?? []);
  return files.map((file) => recogniseOne(file, manifests));
}

function recogniseOne(file: GivenFile, manifests: readonly Manifest[]): Recognised {
  const { bytes } = file;
  const manifest = readManifest(bytes);
  if (manifest !== undefined) return { kind: 'manifest', file, manifest };
  const claim = readPackage(bytes);
  if (claim !== undefined) return { kind: 'package', file, claim, header: claim.header };
  const header = headerIn(bytes);
  if (isArtefact('statement', bytes) && header !== undefined) return { kind: 'statement', file, header };
  if (isArtefact('segregation', bytes) && header !== undefined) return { kind: 'segregation', file, header };
  const part = partOf(file, manifests, header);
  return part === undefined ? recogniseText(file) : { kind: 'part', file, part, header };
}

function partOf(
  { name, bytes }: GivenFile,
  manifests: readonly Manifest[],
  header: ReserveHeader | undefined,
): ProofFile | undefined {
  if (isArtefact('wallets', bytes)) return 'wallets.bin';
  if (isArtefact('certificates', bytes)) return 'certificates.bin';
  if (isArtefact('statements', bytes)) return 'statements.bin';
  if (header !== undefined) return header.tier === 'plain' ? 'publication.bin' : 'summary.bin';
  const listed = manifests.length === 0 ? undefined : fileDigest(bytes);
  const byDigest = proofFiles.find((part) =>
    manifests.some(({ files }) => listed !== undefined && equalBytes(files.get(part) ?? new Uint8Array(), listed)),
  );
  // Leaves have no first bytes of their own: there may be a gigabyte of them.
  return byDigest ?? (name.endsWith('leaves.bin') ? 'leaves.bin' : undefined);
}

/** The header that a file says it is about. */
function headerIn(bytes: Uint8Array): ReserveHeader | undefined {
  const length = headerLength(bytes);
  const first = length === undefined ? undefined : decodeHeader(bytes.subarray(0, length));
  if (first !== undefined) return first;
  if (isArtefact('wallets', bytes)) return readWalletsFile(bytes)?.header;
  if (isArtefact('statements', bytes)) return readStatementsFile(bytes)?.header;
  if (isArtefact('statement', bytes)) return readStatement(bytes)?.signed.header;
  return isArtefact('segregation', bytes) ? readSegregation(bytes)?.header : undefined;
}

function recogniseText(file: GivenFile): Recognised {
  const text = textOf(file) ?? '';
  const value = jsonOf(text);
  if (fieldOf(value, 'leaf') !== undefined && fieldOf(value, 'checkpoint') !== undefined) {
    return { kind: 'receipt', file, value };
  }
  if (isCertificate(value) || isMove(value)) return { kind: 'certificate', file, value };
  // C2SP signed-note: lines of signatures behind an empty line.
  if (!text.includes('\n\n\u2014 ')) return { kind: 'unrecognised', file };
  // C2SP tlog-witness: what a log shows a witness, a checkpoint behind a proof that it goes on from another.
  return { kind: /^old [0-9]/u.test(text) ? 'consistency' : 'checkpoint', file, note: text };
}
