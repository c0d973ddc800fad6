import { hexQuantity, readAddress, readData, readHash, readList, readQuantity } from '@bulkhead/chain-evm';
import { readFields } from '@bulkhead/chain-evm';
import { bytesOf, type Hex } from '@bulkhead/vaults';
import { RLP } from '@ethereumjs/rlp';
import { concatBytes } from '@noble/hashes/utils.js';
import { type BlockHeader, integer, mayContain, readHeader } from './block-header.ts';
import { type ChainQuestions, type HeightRange, type PlacedLog, placedLog } from './chain-questions.ts';
import { receiptsRoot } from './state-proof.ts';

/** Blocks whose headers are read one by one. More take long over the network; then logs are taken from the node as it gives them. */
export const headersMax: bigint = 50_000n;

const headersAtOnce = 32;

export type Proven<T> = { readonly proven: T } | { readonly fault: string };

/** All headers of a range that ends with a known one, each named by the next one's hash of its parent. */
export async function provenHeaders(
  questions: ChainQuestions,
  head: BlockHeader,
  { from }: Pick<HeightRange, 'from'>,
): Promise<Proven<readonly BlockHeader[]>> {
  const headers: BlockHeader[] = [head];
  let lowest = head;
  for (let end = head.height - 1n; end >= from;) {
    const start = end - BigInt(headersAtOnce) + 1n > from ? end - BigInt(headersAtOnce) + 1n : from;
    const heights = Array.from({ length: Number(end - start) + 1 }, (_, place) => end - BigInt(place));
    const read = await Promise.all(heights.map(async (height) => await questions.header(hexQuantity(height))));
    for (const [place, fields] of read.entries()) {
      if (fields === undefined) return { fault: `the node has no block ${heights[place]}` };
      const header = readHeader(fields);
      if (header.hash !== lowest.parent || header.height !== lowest.height - 1n) {
        return { fault: `block ${heights[place]} is not the parent of block ${lowest.height}` };
      }
      headers.push(header);
      lowest = header;
    }
    end = start - 1n;
  }
  return { proven: headers.toReversed() };
}

/** Every log in these blocks that has one of these addresses or topics: from receipts whose root is in the header. */
export async function provenLogs(
  questions: ChainQuestions,
  headers: readonly BlockHeader[],
  parts: readonly Hex[],
): Promise<Proven<readonly PlacedLog[]>> {
  const found: PlacedLog[] = [];
  for (const header of headers) {
    if (!parts.some((part) => mayContain(header, part))) continue;
    const receipts = await questions.receipts(header.height);
    if ((await receiptsRoot(receipts.map(receiptBytes))) !== header.receiptsRoot) {
      return { fault: `the receipts of block ${header.height} are not those of its header` };
    }
    let index = 0n;
    for (const receipt of receipts) {
      for (const entry of readList(receipt['logs'], 'logs')) {
        const log = { ...placedLog(entry), height: header.height, index };
        index += 1n;
        if (parts.includes(log.address) || log.topics.some((topic) => parts.includes(topic))) found.push(log);
      }
    }
  }
  return { proven: found };
}

/** A receipt as it is hashed (EIP-2718): its type before it unless that is 0. */
function receiptBytes(receipt: Readonly<Record<string, unknown>>): Uint8Array {
  const logs = readList(receipt['logs'], 'logs').map((entry) => {
    const fields = readFields(entry, 'a log');
    return [
      bytesOf(readAddress(fields['address'], 'the address of a log')),
      readList(fields['topics'], 'topics').map((topic) => bytesOf(readHash(topic, 'a topic'))),
      bytesOf(readData(fields['data'], 'the data of a log')),
    ];
  });
  const body = RLP.encode([
    integer(readQuantity(receipt['status'], 'a status')),
    integer(readQuantity(receipt['cumulativeGasUsed'], 'gas')),
    bytesOf(readData(receipt['logsBloom'], 'a bloom filter')),
    logs,
  ]);
  const type = readQuantity(receipt['type'] ?? '0x0', 'the type of a receipt');
  return type === 0n ? body : concatBytes(Uint8Array.of(Number(type)), body);
}
