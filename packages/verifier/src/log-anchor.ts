import { type Address, CustodyError } from '@bulkhead/domain';
import { checkpointText, emptyFrontier, extend, nodesOfTiles, rootOf, type TreeHead } from '@bulkhead/tlog';
import { bytesOf, eventTopic, parseSignerSetEvent } from '@bulkhead/vaults';
import { sha256 } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { equalBytes, fieldOf, readBytes, readNumber } from './bytes.ts';
import { chainsOf, numberHex } from './chain-view.ts';
import type { Seen } from './log-consistency.ts';
import type { Examination } from './order.ts';
import { agreeOnBlock, asked } from './pinned-block.ts';
import { fails, few, holds, type Step, unknown } from './report.ts';

/** Leaves of a log that anchors are looked for among, one tree after the other. */
const searchedLeavesMax = 200_000;

const hashes = { keccak256: keccak_256 };

type Stated = { readonly digest: string; readonly height: bigint };

/** Where the signer set is that a reader pinned for the anchors of the log. */
type Place = { readonly chain: bigint; readonly signerSet: Address; readonly fromBlock?: bigint };

/**
 * Whether the chain has what these checkpoints say: heartbeats of the signers state checkpoints of the log. Heartbeats are events, which
 * no state has, so that they are what the nodes say, all alike.
 *
 * @param seen checkpoints of one history
 */
export async function anchorSteps(order: Examination, seen: readonly Seen[]): Promise<readonly Step[]> {
  const place = order.pins.log?.anchor;
  const newest = seen.toSorted((a, b) => b.checkpoint.size - a.checkpoint.size)[0];
  if (place === undefined || newest === undefined) return [];
  const stated = await statedOn(order, place);
  if ('step' in stated) return [stated];
  if (stated.length === 0) {
    return [unknown('anchor', `The signer set ${place.signerSet} states no checkpoint on chain ${place.chain}.`)];
  }
  const sizes = new Map(seen.map(({ checkpoint }) => [digestOf(checkpoint.origin, checkpoint), checkpoint.size]));
  const searched = await searchTiles(order, newest, { stated, sizes });
  return [judged(stated, sizes, { newest, searched })];
}

/** @param known anchors and their sizes, where a checkpoint or the tiles have them */
function judged(
  stated: readonly Stated[],
  known: ReadonlyMap<string, number>,
  { newest, searched }: { readonly newest: Seen; readonly searched: boolean },
): Step {
  const found = stated.filter(({ digest }) => known.has(digest));
  const last = found.at(-1);
  const { name, checkpoint } = newest;
  // What was stated before something that is in the tree must be in it as well: signers state only what goes on.
  const lost = searched && last !== undefined ? before(stated, last).filter(({ digest }) => !known.has(digest)) : [];
  if (lost.length > 0) {
    const blocks = few(lost.map(({ height }) => `block ${height}`));
    const reason = `The signers stated checkpoints on the chain (${blocks}) that the ${checkpoint.size} leaves of ${name} never had: the log was rewritten, or told another history. Keep the files.`;
    return fails('anchor', reason);
  }
  if (last === undefined) {
    const reason = searched
      ? `None of the ${stated.length} checkpoints that the chain has is a beginning of the ${checkpoint.size} leaves of ${name}: they are larger, or of another history. A newer checkpoint shows which.`
      : `None of the ${stated.length} checkpoints that the chain has is one of these: the log’s tiles, or those checkpoints, show whether they are of one history.`;
    return unknown('anchor', reason);
  }
  const size = known.get(last.digest) ?? 0;
  const later = stated.length - before(stated, last).length - 1;
  const rest = later === 0 ? '' : ` ${later} later ones are larger, or of another history: that cannot be known here.`;
  return holds(
    'anchor',
    `As the nodes say, the signers stated this log with ${size} leaves on the chain, in block ${last.height}.${rest}`,
  );
}

function before(stated: readonly Stated[], last: Stated): readonly Stated[] {
  return stated.slice(0, stated.indexOf(last));
}

async function statedOn(order: Examination, place: Place): Promise<readonly Stated[] | Step> {
  const served = await chainsOf(order.nodes);
  const nodes = served.filter(({ chain }) => chain === place.chain).map(({ node }) => node);
  if (nodes.length === 0) {
    return unknown('anchor', `No node of chain ${place.chain} was given, where the signers state the log.`);
  }
  const agreed = await agreeOnBlock(nodes, order.nowSeconds);
  if (agreed.header === undefined) return agreed.steps[0] ?? unknown('anchor', 'The nodes agree on no final block.');
  const filter = {
    address: place.signerSet,
    topics: [eventTopic(hashes, 'HeartbeatGiven')],
    fromBlock: numberHex(place.fromBlock ?? 0n),
    toBlock: numberHex(agreed.header.height),
  };
  let common: readonly Stated[] | undefined;
  for (const node of nodes) {
    const found = readStated(await asked(node, 'eth_getLogs', [filter]), place.signerSet);
    if (found === undefined) {
      return unknown('anchor', `${node.name} does not give the heartbeats of ${place.signerSet}.`);
    }
    if (common !== undefined && JSON.stringify(common.map(wordsOf)) !== JSON.stringify(found.map(wordsOf))) {
      return fails('anchor', `${node.name} gives other heartbeats than ${nodes[0]?.name ?? ''}: one of them lies.`);
    }
    common = found;
  }
  return common ?? [];
}

const wordsOf = ({ digest, height }: Stated): string => `${digest} ${height}`;

/** Checkpoints out of logs, in the order of the chain; undefined where the answer is none of this contract's heartbeats. */
function readStated(answer: unknown, signerSet: Address): readonly Stated[] | undefined {
  if (!Array.isArray(answer)) return undefined;
  const stated: Stated[] = [];
  for (const entry of answer) {
    const topics = fieldOf(entry, 'topics');
    const [height, data] = [readNumber(fieldOf(entry, 'blockNumber')), fieldOf(entry, 'data')];
    const address = readBytes(fieldOf(entry, 'address'), 20);
    const words = (Array.isArray(topics) ? topics : []).map((topic) => readBytes(topic, 32));
    const said = readBytes(data);
    if (height === undefined || said === undefined || address === undefined) return undefined;
    if (!equalBytes(address, bytesOf(signerSet)) || words.some((word) => word === undefined)) return undefined;
    const digest = statementOf(words, said);
    if (digest === undefined) return undefined;
    if (/[1-9a-f]/u.test(digest)) stated.push({ digest, height });
  }
  return stated;
}

function statementOf(topics: readonly (Uint8Array | undefined)[], data: Uint8Array): string | undefined {
  const hexed = topics.map((topic): `0x${string}` => `0x${bytesToHex(topic ?? new Uint8Array())}`);
  try {
    const event = parseSignerSetEvent(hashes, { topics: hexed, data: `0x${bytesToHex(data)}` });
    return event?.event === 'HeartbeatGiven' ? event.statement.slice(2) : undefined;
  } catch (error) {
    if (error instanceof CustodyError) return undefined;
    throw error;
  }
}

type Looked = { readonly stated: readonly Stated[]; readonly sizes: Map<string, number> };

/** Adds the sizes at which the newest tree was what an anchor says, by its tiles. False where they were not looked through. */
async function searchTiles({ readTile }: Examination, newest: Seen, { stated, sizes }: Looked): Promise<boolean> {
  const { size, root, origin } = newest.checkpoint;
  if (readTile === undefined || size > searchedLeavesMax) return false;
  const wanted = new Set(stated.map(({ digest }) => digest));
  const found = new Map<string, number>();
  try {
    const read = nodesOfTiles(size, readTile);
    let frontier = emptyFrontier;
    while (frontier.size < size) {
      frontier = extend(frontier, [await read(0, frontier.size)]);
      const digest = digestOf(origin, { size: frontier.size, root: rootOf(frontier) });
      if (wanted.has(digest)) found.set(digest, frontier.size);
    }
    if (!equalBytes(rootOf(frontier), root)) return false;
  } catch (error) {
    if (error instanceof CustodyError) return false;
    throw error;
  }
  for (const [digest, at] of found) sizes.set(digest, at);
  return true;
}

function digestOf(origin: string, { size, root }: TreeHead): string {
  return bytesToHex(sha256(utf8ToBytes(checkpointText({ origin, size, root }))));
}
