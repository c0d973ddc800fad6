import { CustodyError } from '@bulkhead/domain';
import { base64, parseBase64 } from './base64.ts';
import { hashLength, treeSizeMax } from './merkle-hash.ts';
import { noteLengthMax } from './signed-note.ts';

/** Lines of a proof that a request may have (C2SP tlog-witness). */
export const requestProofMax = 63;

/** What a log asks of a witness: that this checkpoint be cosigned, with a proof from the one it cosigned last. */
export type WitnessRequest = {
  readonly oldSize: number;
  readonly proof: readonly Uint8Array[];
  /** Signed note. */
  readonly checkpoint: string;
};

/** The body of `add-checkpoint` (C2SP tlog-witness). */
export function formatWitnessRequest({ oldSize, proof, checkpoint }: WitnessRequest): string {
  return `old ${oldSize}\n${proof.map((hash) => `${base64(hash)}\n`).join('')}\n${checkpoint}`;
}

/**
 * Reads the body of `add-checkpoint`.
 *
 * @throws CustodyError `log/malformed`
 */
export function parseWitnessRequest(body: string): WitnessRequest {
  const end = body.indexOf('\n\n');
  const [first = '', ...lines] = body.slice(0, Math.max(end, 0)).split('\n');
  const [, size] = /^old (0|[1-9][0-9]{0,15})$/u.exec(first) ?? [];
  if (
    size === undefined ||
    Number(size) > treeSizeMax ||
    lines.length > requestProofMax ||
    body.length > 2 * noteLengthMax
  ) {
    throw new CustodyError(
      'log/malformed',
      `A request to a witness begins with "old" and a size, has at most ${requestProofMax} hashes, an empty line and a checkpoint.`,
    );
  }
  const proof = lines.map((line) => parseBase64(line, 'proof'));
  if (proof.some((hash) => hash.length !== hashLength)) {
    throw new CustodyError('log/malformed', `The proof has a line that is no hash of ${hashLength} bytes.`);
  }
  return { oldSize: Number(size), proof, checkpoint: body.slice(end + 2) };
}
