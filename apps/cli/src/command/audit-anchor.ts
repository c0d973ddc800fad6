import { readQuantity } from '@bulkhead/chain-evm';
import { statedAnchors } from '@bulkhead/custody';
import { parseAddress } from '@bulkhead/domain';
import type { Anchor } from '@bulkhead/log';
import type { Queries } from '@bulkhead/postgres';
import { eventTopic, parseSignerSetEvent } from '@bulkhead/vaults';
import { needed } from '../command-line.ts';
import { UsageError } from '../exit-code.ts';
import { openQuestions } from '../vault/chain-questions.ts';
import { hashes } from '../vault/examination.ts';

/** Where anchors are read: a node, the contract of the signers, and the first block that is looked at. */
export type AnchorPlace = { readonly rpc?: string; readonly 'signer-set'?: string; readonly 'from-block'?: string };

const noStatement = `0x${'0'.repeat(64)}`;

/** What the signers stated up to the newest final block, in the order of the chain; undefined where no node is named. */
export async function anchorsOn(db: Queries, place: AnchorPlace): Promise<readonly Anchor[] | undefined> {
  if (place.rpc === undefined && place['signer-set'] === undefined) return undefined;
  const questions = openQuestions(needed('audit verify --signer-set', 'rpc', place.rpc));
  const address = parseAddress(needed('audit verify --rpc', 'signer-set', place['signer-set']));
  const from = place['from-block'] ?? '0';
  if (!/^[0-9]{1,15}$/u.test(from)) throw new UsageError('--from-block needs the number of a block.');
  const header = await questions.header('finalized');
  const to = readQuantity(header?.['number'], 'the number of a block');
  const topics = [eventTopic(hashes, 'HeartbeatGiven')];
  const [logs, sizes] = await Promise.all([
    questions.logs({ address, topics }, { from: BigInt(from), to }),
    statedAnchors(db, await questions.chain()),
  ]);
  return logs.flatMap((log) => {
    const given = parseSignerSetEvent(hashes, log);
    if (given?.event !== 'HeartbeatGiven' || given.statement === noStatement) return [];
    const digest = given.statement.slice(2);
    const size = sizes.get(digest);
    const where = `block ${log.height} (transaction ${log.transaction})`;
    return [{ digest, where, ...(size === undefined ? {} : { size }) }];
  });
}
