import {
  type AssetId,
  type BlockRef,
  type Chain,
  type EndedWindow,
  type Hash,
  invariant,
  type ProofStream,
  type RegistryEpoch,
} from '@bulkhead/domain';
import { type Queries, text } from '@bulkhead/postgres';
import {
  answerOf,
  assetWord,
  callData,
  type Hex,
  hexOf,
  parseProofRegistryEvent,
  proofEventTopic,
  type ProofRegistryEvent,
  type ProofRegistryEventFields,
  proofRegistryQuestions,
  type ProofRegistrySettings,
  type QuestionForm,
  wordOf,
} from '@bulkhead/vaults';
import { chainPort, findCursor, hash } from './cursor.ts';
import type { Custody } from './custody.ts';
import { hashes } from './keccak.ts';
import type { ProofRegistrySetup, ProofSetup, ProvenTerms } from './proof-setup.ts';
import { readState } from './state.ts';

/** Where an asset is proven, and how. */
export type ProvenAsset = {
  readonly asset: AssetId;
  readonly setup: ProofSetup;
  readonly registry: ProofRegistrySetup;
  readonly terms: ProvenTerms;
};

/** Undefined for an asset that is proven in no configured registry. */
export function provenAsset({ proofs: setup }: Pick<Custody, 'proofs'>, asset: AssetId): ProvenAsset | undefined {
  for (const registry of setup?.registries ?? []) {
    const terms = registry.termsOf(asset);
    if (setup !== undefined && terms !== undefined) return { asset, setup, registry, terms };
  }
  return undefined;
}

const settingNames: readonly (keyof ProofRegistrySettings)[] = [
  'signers',
  'custodian',
  'window',
  'drawDelay',
  'commitWithin',
  'cadence',
  'proveWithin',
];

/**
 * What a registry at a final block has otherwise than the configuration says, in a sentence each. Its settings stand in its code as well;
 * they are told apart so that a person sees which one it is.
 *
 * @throws CustodyError what the port throws
 */
export async function registryDifferences(
  port: Pick<Chain, 'id' | 'codeHash' | 'read'>,
  setup: Pick<ProofRegistrySetup, 'registry' | 'codeHash' | 'settings'>,
  at: BlockRef,
): Promise<readonly string[]> {
  const { registry, settings } = setup;
  const found = await port.codeHash(registry, at);
  const where = `The proof registry ${registry} of ${port.id} at block ${at.number}`;
  if (found !== setup.codeHash) {
    return [
      `${where} has the code ${found}, and the configuration says ${setup.codeHash}: it is not there, or another contract is.`,
    ];
  }
  const sentences: string[] = [];
  for (const name of settingNames) {
    const said = await port.read(registry, callData(hashes, proofRegistryQuestions[name], {}), at);
    if (BigInt(said) === BigInt(settings[name])) continue;
    const shown = typeof settings[name] === 'bigint' ? BigInt(said).toString() : said;
    sentences.push(`${where} has ${shown} for ${name}, and the configuration says ${settings[name]}.`);
  }
  return sentences;
}

/** What a final block has of an asset in its registry. */
export type RegistryLook = {
  /** The newest block that is booked as final here, on the registry's chain: what is beyond it may still vanish. */
  readonly final: BlockRef;
  readonly stream: ProofStream;
  /** How many are proven, from the first on. */
  readonly windowsProven: bigint;
  readonly fresh: boolean;
};

/** Undefined before the chain of the registry was booked once. @throws CustodyError what the port throws */
export async function lookAtRegistry(custody: Custody, proven: ProvenAsset): Promise<RegistryLook | undefined> {
  const cursor = await findCursor(custody.db, proven.registry.chain);
  if (cursor === undefined || cursor.final.number <= cursor.start) return undefined;
  const { final } = cursor;
  const ask = asking(custody, proven, final);
  const asset = assetWord(hashes, proven.asset);
  const { epoch, proven: windows } = await ask(proofRegistryQuestions.stateOf, { asset });
  const newest = epoch === 0n ? undefined : await pinnedEpoch(custody, proven, { final, epoch });
  const window = await ask(proofRegistryQuestions.windowAt, { asset, number: windows });
  return {
    final,
    stream: {
      newest,
      committedAt: await committedLast(custody, proven, { final, epoch }),
      window: window.endedAt === 0n ? undefined : await endedWindow(custody, proven, { final, number: windows }),
    },
    windowsProven: windows,
    fresh: await ask(proofRegistryQuestions.isFresh, { asset }),
  };
}

async function endedWindow(
  custody: Custody,
  proven: ProvenAsset,
  { final, number }: { readonly final: BlockRef; readonly number: bigint },
): Promise<EndedWindow> {
  const ask = asking(custody, proven, final);
  const asset = assetWord(hashes, proven.asset);
  const { endedAt, challengeBlock, drawn } = await ask(proofRegistryQuestions.windowAt, { asset, number });
  return {
    number,
    endedAt,
    challengeBlock,
    drawn: drawn === 0n ? undefined : await pinnedEpoch(custody, proven, { final, epoch: drawn }),
  };
}

/** When the newest epoch was committed that did not lapse. */
async function committedLast(
  custody: Custody,
  proven: ProvenAsset,
  { final, epoch: newest }: { readonly final: BlockRef; readonly epoch: bigint },
): Promise<bigint | undefined> {
  const ask = asking(custody, proven, final);
  const asset = assetWord(hashes, proven.asset);
  for (let epoch = newest; epoch > 0n; epoch -= 1n) {
    const { committedAt } = await ask(proofRegistryQuestions.epochAt, { asset, epoch });
    if (committedAt > 0n) return committedAt;
  }
  return undefined;
}

/** What the registry has under a number; undefined where it has nothing. */
export async function pinnedEpoch(
  custody: Custody,
  proven: ProvenAsset,
  { final, epoch }: { readonly final: BlockRef; readonly epoch: bigint },
): Promise<RegistryEpoch | undefined> {
  const asset = assetWord(hashes, proven.asset);
  const { context, committedAt } = await asking(
    custody,
    proven,
    final,
  )(proofRegistryQuestions.epochAt, { asset, epoch });
  return BigInt(context) === 0n ? undefined : { epoch, context: context.slice(2), lapsed: committedAt === 0n };
}

type Ask = <T, A>(question: QuestionForm<T, A>, values: T) => Promise<A>;

function asking(custody: Custody, { registry: { chain, registry } }: ProvenAsset, at: BlockRef): Ask {
  const port = chainPort(custody, chain);
  return async (question, values) =>
    answerOf(question, await port.read(registry, callData(hashes, question, values), at));
}

/** An event of a registry in a final block, and the transaction that it came by. */
export type FinalProofEvent = {
  readonly event: ProofRegistryEvent;
  readonly transaction: Hash;
  readonly block: bigint;
};

/** The final event of one asset of one name and number (of the epoch, or of the window), where there is one. */
export async function finalProofEvent(
  db: Queries,
  { asset, registry: { chain, registry } }: Pick<ProvenAsset, 'asset' | 'registry'>,
  { name, number }: { readonly name: keyof ProofRegistryEventFields; readonly number: bigint },
): Promise<FinalProofEvent | undefined> {
  const [row] = await db.query(
    `select block_number::text as block, transaction_hash, topics::text as topics, data from custody.vault_event
     where chain = $1 and address = $2 and removed_at is null and topics ->> 0 = $3 and topics ->> 1 = $4 and topics ->> 2 = $5
       and block_number <= (select final_number from custody.chain_cursor where chain = $1)
     order by block_number, log_index limit 1`,
    [chain, registry, proofEventTopic(hashes, name), assetWord(hashes, asset), hexOf(wordOf(number))],
  );
  if (row === undefined) return undefined;
  const log = { topics: readState<readonly Hex[]>(text(row, 'topics')), data: hexText(text(row, 'data')) };
  const event = parseProofRegistryEvent(hashes, log);
  invariant(event !== undefined, 'A stored event of a proof registry is none.');
  return { event, transaction: hash(row, 'transaction_hash'), block: BigInt(text(row, 'block')) };
}

function hexText(value: string): Hex {
  return `0x${value.slice(2)}`;
}
