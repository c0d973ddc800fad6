import { type CanonicalObject, parseRecordLine } from '@bulkhead/authority';
import { CustodyError, type DecisionRecord } from '@bulkhead/domain';
import type { CoreParts } from './core-parts.ts';

/** A record that counts, with its proof. */
export async function recordOf(
  { log, committer }: Pick<CoreParts, 'log' | 'committer'>,
  sequence: bigint,
): Promise<{ readonly record: DecisionRecord; readonly fields: CanonicalObject }> {
  const [record] = await log.records({ after: sequence - 1n, limit: 1, upTo: committer.settled() });
  if (record === undefined) {
    throw new CustodyError(
      'signer/state-damaged',
      `Record ${sequence} of the signer's log is known and cannot be found.`,
    );
  }
  return { record, fields: parseRecordLine(record.line).fields };
}
