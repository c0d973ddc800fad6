import { type Address, contractOf, CustodyError, invariant, parseAddress, parseAssetId } from '@bulkhead/domain';
import { type BalanceMapping, balanceSlot, formatBalanceMapping, parseBalanceMapping } from '@bulkhead/proofs';
import { bytesOf } from '@bulkhead/vaults';
import { type ChainNode, httpNode } from '@bulkhead/verifier';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';

/** Slots that are tried, each in both orders. Tokens that inherit much have their balances behind fifty others. */
const slotsTried = 256;
const namespaces = ['erc7201:openzeppelin.storage.ERC20'] as const;
/** Words that are asked for at once. */
const asksAtOnce = 32;

/** `balanceOf(address)` of ERC-20. */
const balanceOf = '0x70a08231';

type Holder = { readonly address: Address; readonly balance: bigint };

/**
 * Looks where the contract of a token keeps its balances: where the state has, for every holder that is named, what the token answers.
 * Finding it says nothing of what else the code does with balances: that stands in its source.
 */
export async function findLayout(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('proof', terminal.words, {
    asset: { type: 'string' },
    rpc: { type: 'string' },
    holder: { type: 'string', multiple: true },
  });
  const asset = parseAssetId(needed('proof layout', 'asset', options.asset));
  const token = contractOf(asset);
  if (token === undefined) throw new UsageError(`${asset} is the coin of its chain, whose balances stand in accounts.`);
  const rpc = needed('proof layout', 'rpc', options.rpc);
  if (!URL.canParse(rpc)) throw new UsageError('--rpc needs the URL of a node.');
  const named = (options.holder ?? []).map((word) => parseAddress(word));
  const node = httpNode(rpc);
  // One block for all that is asked: balances move.
  const block = `0x${(await wordFrom(node, 'eth_blockNumber', [])).toString(16)}`;
  const holders = await holdersAmong(named, { node, token, block });
  if (new Set(holders.map(({ balance }) => balance)).size < 2) {
    throw new UsageError(
      'Name two holders or more that have something and not the same, with --holder for each: one number may stand in many places.',
    );
  }
  const found = await withProgress(terminal, 'reading the state', async () => search(holders, { node, token, block }));
  const [place, ...others] = found;
  if (place === undefined) {
    terminal.out(
      `${token} keeps its balances in no mapping at the first ${slotsTried} slots, nor at ${namespaces.join(', ')}, or works them out. Read its source; without "balances" in the configuration verifiers take them from nodes.`,
    );
    return exitCodes.found;
  }
  if (others.length > 0) {
    terminal.out(
      `Of ${holders.length} holders the same stands at ${found.map(formatBalanceMapping).join(', ')}: name more.`,
    );
    return exitCodes.found;
  }
  const word = formatBalanceMapping(place);
  terminal.out(
    `For ${holders.length} holders the state of ${token} has what it answers, at ${word} and nowhere else that was looked.`,
  );
  terminal.out(
    `In /chains/…/proofRegistry/assets, for ${asset}: "balances": "${word}". For whoever verifies: --token ${token}=${word}`,
  );
  return exitCodes.ok;
}

type At = { readonly node: ChainNode; readonly token: Address; readonly block: string };

/** Those that have something, by the answer of the token. */
async function holdersAmong(named: readonly Address[], { node, token, block }: At): Promise<readonly Holder[]> {
  const holders: Holder[] = [];
  for (const address of named) {
    const data = `${balanceOf}${address.slice(2).padStart(64, '0')}`;
    const balance = await wordFrom(node, 'eth_call', [{ to: token, data }, block]);
    if (balance > 0n) holders.push({ address, balance });
  }
  return holders;
}

/** The places that have the balance of each holder. */
async function search(holders: readonly Holder[], { node, token, block }: At): Promise<readonly BalanceMapping[]> {
  let left = candidates();
  for (const { address, balance } of holders) {
    const kept: BalanceMapping[] = [];
    for (let from = 0; from < left.length; from += asksAtOnce) {
      const some = left.slice(from, from + asksAtOnce);
      const words = await Promise.all(
        some.map(async (place) => {
          const slot = `0x${balanceSlot(place, bytesOf(address)).toString(16).padStart(64, '0')}`;
          return wordFrom(node, 'eth_getStorageAt', [token, slot, block]);
        }),
      );
      kept.push(...some.filter((_, index) => words[index] === balance));
    }
    left = kept;
  }
  return left;
}

function candidates(): readonly BalanceMapping[] {
  const slots = Array.from({ length: slotsTried }, (_, slot) => BigInt(slot));
  return [
    ...slots.map((slot) => ({ form: 'key-slot', slot }) as const),
    ...slots.map((slot) => ({ form: 'slot-key', slot }) as const),
    ...namespaces.map((name) => parseBalanceMapping(name)),
  ];
}

async function wordFrom(node: ChainNode, method: string, params: readonly unknown[]): Promise<bigint> {
  const answer = await node.ask(method, params).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CustodyError('chain/unavailable', `${node.name} does not answer ${method}: ${why}.`, { cause });
  });
  if (answer === '0x') throw new UsageError(`At that address is no token on ${node.name}: it answers nothing.`);
  invariant(
    typeof answer === 'string' && /^0x[0-9a-fA-F]{1,64}$/u.test(answer),
    `${node.name} answers ${method} with no number.`,
  );
  return BigInt(answer);
}
