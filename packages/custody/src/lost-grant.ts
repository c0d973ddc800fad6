import {
  type Chain,
  chainOf,
  CustodyError,
  type DecisionRecord,
  type Hash,
  intentDigest,
  isMovement,
  type MovementIntent,
  parseIntent,
} from '@bulkhead/domain';
import { textOrNull } from '@bulkhead/postgres';
import type { Custody } from './custody.ts';
import { readState } from './state.ts';

/** Records compared at a time. */
const recordsAtOnce = 500;

/** A transaction that the signer granted and of which this database does not have the signature. */
export type LostGrant = {
  /** Of the record `granted`. */
  readonly sequence: bigint;
  readonly intent: MovementIntent;
  /** Hex of the unsigned transaction. */
  readonly unsigned: string;
  /** The dispatch of this intent, where the database has one. */
  readonly dispatch: string | undefined;
  /** What was signed, where the signer recorded it: its hash to look for, and its bytes to broadcast, in hex. */
  readonly signed: { readonly hash: Hash; readonly raw: string } | undefined;
};

type Found = Omit<LostGrant, 'signed'>;

/**
 * Holds every grant of the signer against the attempts of this database, which is what a database needs that was put back from a
 * backup: the signer has signed since what nobody remembers here. Each record is verified; nothing is written.
 *
 * What was granted and stored without its signature is not among them: the next run asks the signer, which answers with the same one.
 *
 * @throws CustodyError `signer/unavailable`, `signer/certificate-invalid`, `signer/state-damaged`, `chain/unknown`
 */
export async function lostGrants(custody: Custody): Promise<readonly LostGrant[]> {
  const lost = new Map<bigint, Found>();
  const signed = new Map<bigint, LostGrant['signed']>();
  for (let after = 0n; ;) {
    const records = await custody.signer.records(after, recordsAtOnce);
    for (const record of records) {
      custody.verifyRecord(record);
      const fields = fieldsOf(record);
      if (fields['type'] === 'granted') {
        const found = await lostGrant(custody, record, fields);
        if (found !== undefined) lost.set(record.sequence, found);
      } else if (fields['type'] === 'signed') {
        const grant = lost.get(BigInt(textOf(fields, 'grant')));
        if (grant !== undefined) signed.set(grant.sequence, assembled(custody, grant, fields));
      }
    }
    const last = records.at(-1);
    if (last === undefined) break;
    after = last.sequence;
  }
  return [...lost.values()].map((grant) => ({ ...grant, signed: signed.get(grant.sequence) }));
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf({ line }: DecisionRecord): Fields {
  return readState<Fields>(line);
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string') return value;
  throw new CustodyError(
    'signer/state-damaged',
    `A record of the signer that an identity signed has no field "${name}": it is of another version. Use the release that wrote it.`,
  );
}

async function lostGrant(custody: Custody, { sequence }: DecisionRecord, fields: Fields): Promise<Found | undefined> {
  const intent = parseIntent(Buffer.from(textOf(fields, 'intent'), 'utf8'));
  if (!isMovement(intent)) return undefined;
  const unsigned = textOf(fields, 'unsigned');
  const [row] = await custody.db.query(
    `select exists (select from custody.attempt where unsigned = $1) as known,
       (select id from custody.dispatch where intent_digest = $2 limit 1) as dispatch`,
    [Buffer.from(unsigned, 'hex'), intentDigest(intent)],
  );
  if (row === undefined || row['known'] === true) return undefined;
  return { sequence, intent, unsigned, dispatch: textOrNull(row, 'dispatch') ?? undefined };
}

function assembled(custody: Custody, { intent, unsigned }: Found, fields: Fields): LostGrant['signed'] {
  const yParity = textOf(fields, 'yParity') === '1' ? 1 : 0;
  const signature = { r: BigInt(textOf(fields, 'r')), s: BigInt(textOf(fields, 's')), yParity } as const;
  const { raw, hash } = portOf(custody, intent).assemble(Buffer.from(unsigned, 'hex'), signature);
  return { hash, raw: Buffer.from(raw).toString('hex') };
}

function portOf({ chains }: Custody, { asset }: MovementIntent): Chain {
  const chain = chains.get(chainOf(asset));
  if (chain !== undefined) return chain;
  throw new CustodyError(
    'chain/unknown',
    `The signer granted a transaction on ${chainOf(asset)}, which is not configured: configure it and compare again.`,
  );
}
