import { readData, readFields } from '@bulkhead/chain-evm';
import { parseAddress } from '@bulkhead/domain';
import {
  answerOf,
  bytesOf,
  callData,
  eventTopic,
  type Hex,
  hexOf,
  type IntentMessage,
  messagePreimage,
  parseFactoryCall,
  parseVaultCall,
  parseVaultEvent,
  type TypedData,
  typedData,
  type VaultCall,
  vaultCallMessage,
  vaultCalls,
  type VaultConfig,
  vaultDomain,
  type VaultEvent,
  vaultForms,
  vaultQuestions,
} from '@bulkhead/vaults';
import { UsageError } from '../exit-code.ts';
import { readHeader } from './block-header.ts';
import type { ChainQuestions, PlacedLog } from './chain-questions.ts';
import { hashes } from './examination.ts';
import type { OpenCall, Situation } from './leaving.ts';
import { publishedBuild } from './system-steps.ts';

/** What a key of the client may sign beside the exit. */
export type ClientChange = Extract<
  IntentMessage,
  {
    readonly name:
      | 'destinationAddition'
      | 'destinationRemoval'
      | 'limitRaise'
      | 'limitLowering'
      | 'exitDestinationChange'
      | 'keyRotation'
      | 'veto'
      | 'pause'
      | 'exitCancellation';
  }
>;

/** What waits for its time, and is then put in force by anybody. */
type Waiting = Extract<VaultEvent, { readonly event: 'LimitQueued' | 'ExitDestinationQueued' | 'KeyRotationQueued' }>;

export type QueuedChange = Waiting & { readonly log: PlacedLog };

/** What the key signs, as a wallet shows it. */
export function changeData({ chain, vault }: Situation, change: ClientChange): TypedData {
  return typedData(vaultDomain(chain, vault), { form: vaultForms[change.name], message: change.message });
}

export function changeDigest({ chain, vault }: Situation, change: IntentMessage): Uint8Array {
  return hashes.keccak256(messagePreimage(hashes, vaultDomain(chain, vault), change));
}

/** The call that anybody carries to the vault. */
export function changeCall(config: VaultConfig, change: ClientChange, signature: Hex): Hex {
  switch (change.name) {
    case 'destinationAddition':
      return callData(hashes, vaultCalls.addDestination, { config, message: change.message, signature });
    case 'destinationRemoval':
      return callData(hashes, vaultCalls.removeDestination, { config, message: change.message, signature });
    case 'limitRaise':
      return callData(hashes, vaultCalls.queueLimitRaise, { config, message: change.message, signature });
    case 'limitLowering':
      return callData(hashes, vaultCalls.lowerLimit, { config, message: change.message, signature });
    case 'exitDestinationChange':
      return callData(hashes, vaultCalls.queueExitDestination, { config, message: change.message, signature });
    case 'keyRotation':
      return callData(hashes, vaultCalls.queueKeyRotation, { config, message: change.message, signature });
    case 'veto':
      return callData(hashes, vaultCalls.veto, { config, message: change.message, signature });
    case 'pause':
      return callData(hashes, vaultCalls.pause, { config, message: change.message, signature });
    case 'exitCancellation':
      return callData(hashes, vaultCalls.cancelExit, { config, message: change.message, signature });
  }
}

const queueTopics: readonly Hex[] = (['LimitQueued', 'ExitDestinationQueued', 'KeyRotationQueued'] as const).map(
  (name) => eventTopic(hashes, name),
);

/** What the vault has in its queue: events say what was queued, and the vault whether it still is. */
export async function queueOf(
  questions: ChainQuestions,
  { vault, deployed }: Situation,
  from: bigint,
): Promise<readonly QueuedChange[]> {
  if (!deployed) return [];
  const fields = await questions.header('latest');
  const to = fields === undefined ? from : readHeader(fields).height;
  const found: QueuedChange[] = [];
  for (const topic of queueTopics) {
    for (const log of await questions.logs({ address: vault, topics: [topic] }, { from, to })) {
      const event = parseVaultEvent(hashes, log);
      if (event === undefined || !('change' in event) || event.event === 'Vetoed') continue;
      const { queued } = vaultQuestions;
      const asked = callData(hashes, queued, { change: event.change });
      if (answerOf(queued, await questions.call(vault, asked, to)) > 0n) found.push({ ...event, log });
    }
  }
  return found.toSorted((a, b) => (a.log.height < b.log.height ? -1 : 1));
}

/**
 * The call that puts a queued change in force. Its message is in the transaction that queued it; the vault has its digest alone.
 *
 * @throws UsageError where the transaction reached the vault by a contract that is none of this release
 */
export async function executionOf(
  questions: ChainQuestions,
  situation: Situation,
  { change, log }: QueuedChange,
): Promise<OpenCall> {
  const answer = await questions.source.read({ method: 'eth_getTransactionByHash', params: [log.transaction] });
  const { to, input } = readFields(answer, 'a transaction');
  const asked = callsIn(situation, {
    to: typeof to === 'string' ? parseAddress(to) : '',
    data: readData(input, 'call data'),
  });
  const { config } = situation.terms;
  for (const call of asked) {
    const message = vaultCallMessage(call);
    if (message === undefined || hexOf(changeDigest(situation, message)) !== change) continue;
    const data = executionData(config, message);
    if (data !== undefined) return { what: 'the execution of the change', to: situation.vault, data };
  }
  throw new UsageError(
    `The transaction ${log.transaction} queued the change ${change} by another contract, and does not show its message. Whoever sent it has it, and can put it in force.`,
  );
}

function callsIn(
  { vault }: Situation,
  { to, data }: { readonly to: string; readonly data: Hex },
): readonly VaultCall[] {
  if (to === vault) return [parseVaultCall(hashes, data)];
  if (to !== publishedBuild.factory) return [];
  const asked = parseFactoryCall(hashes, data);
  return asked.call === 'createAndCall' ? asked.arguments.calls.map((call) => parseVaultCall(hashes, call)) : [];
}

function executionData(config: VaultConfig, change: IntentMessage): Hex | undefined {
  if (change.name === 'limitRaise') {
    return callData(hashes, vaultCalls.executeLimitRaise, { config, message: change.message });
  }
  if (change.name === 'exitDestinationChange') {
    return callData(hashes, vaultCalls.executeExitDestination, { config, message: change.message });
  }
  return change.name === 'keyRotation'
    ? callData(hashes, vaultCalls.executeKeyRotation, { config, message: change.message })
    : undefined;
}

/** Id of a key from the word of a command line: the address of an account, or the id of a passkey. */
export function keyWord(word: string): Hex {
  if (/^0x[0-9a-f]{64}$/u.test(word)) return hexOf(bytesOf(`0x${word.slice(2)}`));
  return `0x${parseAddress(word).slice(2).padStart(64, '0')}`;
}
