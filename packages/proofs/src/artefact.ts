import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { equalBytes, type FieldReader, readFields, unsignedBytes } from './fixed-width.ts';

/** What the files beside a publication are (spec/proof-files.md). Each begins with `bulkhead/`, its name and its version. */
export type ArtefactName = 'wallets' | 'certificates' | 'statements' | 'statement' | 'segregation';

const version = unsignedBytes(1, 2);

/** The first bytes of a file. */
export function artefactHead(name: ArtefactName): Uint8Array {
  return concatBytes(utf8ToBytes(`bulkhead/${name}`), version);
}

/** Whether bytes begin as this file does. */
export function isArtefact(name: ArtefactName, bytes: Uint8Array): boolean {
  const head = artefactHead(name);
  return equalBytes(bytes.subarray(0, head.length), head);
}

/** The fields behind the first bytes of a file; undefined for another file. */
export function openArtefact(name: ArtefactName, bytes: Uint8Array): FieldReader | undefined {
  return isArtefact(name, bytes) ? readFields(bytes.subarray(artefactHead(name).length)) : undefined;
}
