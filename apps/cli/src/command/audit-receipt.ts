import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { factPlaces } from '@bulkhead/custody';
import { CustodyError } from '@bulkhead/domain';
import { receiptsMax, receiptsOf, verifyEd25519 } from '@bulkhead/log';
import { factViews } from '@bulkhead/server';
import { openReceipt, parseVerifierKey, type ProvenFact, type Receipt, receiptJson, receiptOf } from '@bulkhead/tlog';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import { reached } from './audit-access.ts';

/** Shows receipts out of the database, or verifies those of a file with nothing but keys. */
export async function receipt(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('audit', terminal.words, {
    id: { type: 'string' },
    verify: { type: 'string' },
    key: { type: 'string' },
    witness: { type: 'string', multiple: true },
    'witnesses-min': { type: 'string' },
  });
  if (options.verify !== undefined) return verifyReceipts(terminal, { ...options, file: options.verify });
  const id = needed('audit receipt', 'id', options.id);
  await using opened = await reached(terminal, 'app');
  const { db, configuration } = opened;
  const { witnessesMin } = configuration.log;
  const positions = await factPlaces(db, { id, after: 0n, limit: receiptsMax });
  const found = await receiptsOf(db, { views: factViews, positions, witnessesMin });
  terminal.out(JSON.stringify(found.map(receiptJson), null, 2));
  return found.length === 0 ? exitCodes.found : exitCodes.ok;
}

type Order = {
  readonly file: string;
  readonly key?: string;
  readonly witness?: string[];
  readonly 'witnesses-min'?: string;
};

/** Asks nobody: the file, the key of the log and the keys of witnesses are all there is. */
async function verifyReceipts(terminal: Terminal, order: Order): Promise<ExitCode> {
  const log = parseVerifierKey(needed('audit receipt --verify', 'key', order.key));
  const witnesses = (order.witness ?? []).map(parseVerifierKey);
  const witnessesMin = minOf(order['witnesses-min'], witnesses.length);
  const content = await readFile(resolve(terminal.folder, order.file), 'utf8').catch((cause: unknown) => {
    throw new UsageError(`${order.file} cannot be read${cause instanceof Error ? `: ${cause.message}` : ''}.`);
  });
  const receipts = receiptsIn(content, order.file);
  let wrong = receipts.length === 0 ? 1 : 0;
  if (receipts.length === 0) terminal.out(`${order.file} has no receipt.`);
  for (const [at, each] of receipts.entries()) {
    try {
      tell(terminal, each, openReceipt(each, { log, witnesses, witnessesMin, verify: verifyEd25519 }));
    } catch (error) {
      if (!(error instanceof CustodyError)) throw error;
      wrong += 1;
      terminal.out(`BAD   receipt ${at + 1}: ${error.message}`);
    }
  }
  return wrong === 0 ? exitCodes.ok : exitCodes.found;
}

function minOf(given: string | undefined, known: number): number {
  if (given === undefined) return known;
  const min = /^[0-9]{1,3}$/u.test(given) ? Number(given) : -1;
  if (min >= 0 && min <= known) return min;
  throw new UsageError(`--witnesses-min is a number up to that of the keys given by --witness, ${known} here.`);
}

/** One receipt, several, or a page as `GET /v1/log/receipts` answers it; facts without one are passed over. */
function receiptsIn(content: string, file: string): readonly Receipt[] {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    throw new CustodyError('log/malformed', `${file} is not JSON.`, { cause });
  }
  const items = typeof value === 'object' && value !== null && 'items' in value ? value.items : value;
  const all: readonly unknown[] = Array.isArray(items) ? items : [items];
  return all
    .map((each) => (typeof each === 'object' && each !== null && 'receipt' in each ? each.receipt : each))
    .filter((each) => each !== null)
    .map(receiptOf);
}

function tell(terminal: Terminal, { index }: Receipt, { leaf, content, checkpoint }: ProvenFact): void {
  const { kind, id, timeMs } = leaf;
  const cosigned = checkpoint.signatures.filter(({ timeS }) => timeS !== undefined).map(({ key }) => key.name);
  terminal.out(
    `good  leaf ${index} of the ${checkpoint.size} of ${checkpoint.origin}: ${kind} ${id}, ${new Date(timeMs).toISOString()}`,
  );
  terminal.out(`      ${cosigned.length === 0 ? 'no witness is asked for' : `cosigned by ${cosigned.join(', ')}`}`);
  terminal.out(`      ${content ?? 'its content is not in the receipt'}`);
}
