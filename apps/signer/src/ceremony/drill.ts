import { open, readFile } from 'node:fs/promises';
import { canonicalJson } from '@bulkhead/authority';
import { type Clock, CustodyError } from '@bulkhead/domain';
import { type DrillResult, drillSlot, openTokenIdentity, type SlotName, type Token } from '@bulkhead/keys';
import { signedBy } from './accounts.ts';
import { sha256Of } from './document.ts';

/** First line of what an identity key signs for a drill. */
export const drillHeader = 'bulkhead-drill-v1\n';

export type DrillOrder = {
  /** Text of the bundle: the first line is chained to it. */
  readonly bundle: string;
  readonly envelope: string;
  /** Where drills are written down. */
  readonly record: string;
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
  const { envelope, slot, token, performer, witness, clock } = order;
  const began = clock.now().toISOString();
  const result = await drillSlot({ path: envelope, slot, token });
  const previous = await lastHash(order);
  await using identity = await openTokenIdentity(token);
  const { passed, finding, ...facts } = result;
  const said = {
    ...facts,
    finding,
    passed: String(passed),
    performer,
    witness,
    began,
    ended: clock.now().toISOString(),
    previous,
  };
  const signed = await signedBy(identity, drillHeader + canonicalJson(said));
  const handle = await open(order.record, 'a', 0o600);
  try {
    await handle.appendFile(`${canonicalJson({ ...signed })}\n`, 'utf8');
    await handle.sync();
  } finally {
    await handle.close();
  }
  return result;
}

async function lastHash({ record, bundle }: DrillOrder): Promise<string> {
  let text = '';
  try {
    text = await readFile(record, 'utf8');
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOENT') throw error;
  }
  if (text === '') return sha256Of(bundle);
  if (!text.endsWith('\n')) {
    throw new CustodyError(
      'ceremony/damaged-bundle',
      `The last line of ${record} is not whole. Keep a copy of it, remove that line, and hold the drill again.`,
    );
  }
  return sha256Of(text.split('\n').at(-2) ?? '');
}
