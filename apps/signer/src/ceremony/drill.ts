import type { Clock } from '@bulkhead/domain';
import { type DrillResult, drillSlot, openTokenIdentity, type SlotName, type Token } from '@bulkhead/keys';
import { appendSigned, drillHeader, type DrillRecord } from './drill-record.ts';

export type DrillOrder = {
  readonly record: DrillRecord;
  readonly envelope: string;
  readonly slot: SlotName;
  readonly token: Token;
  readonly performer: string;
  readonly witness: string;
  readonly clock: Clock;
};

/**
 * Restores the seed from one slot, compares and wipes it, and appends what came of it to the record of drills: a line of canonical JSON
 * with the statement, signed by the identity key of that very slot. Each statement names the hash of the line before it.
 *
 * @throws CustodyError `hsm/…` where the slot cannot sign, `ceremony/damaged-bundle` where the record of drills does not end with a line
 */
export async function recordDrill(order: DrillOrder): Promise<DrillResult> {
  const { record, envelope, slot, token, performer, witness, clock } = order;
  const began = clock.now().toISOString();
  const result = await drillSlot({ path: envelope, slot, token });
  await using identity = await openTokenIdentity(token);
  const { passed, ...facts } = result;
  const ended = clock.now().toISOString();
  await appendSigned(record, {
    header: drillHeader,
    facts: { ...facts, passed: String(passed), performer, witness, began, ended },
    identity,
  });
  return result;
}
