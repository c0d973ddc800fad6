import { randomUUID } from 'node:crypto';
import { type Answer, findClient, issueClientWallet, listClients, type WriteCall } from '@bulkhead/custody';
import { type ChainId, CustodyError, parseChainId } from '@bulkhead/domain';
import type { Queries } from '@bulkhead/postgres';
import { besideRunning, type Configuration, loadConfiguration, openCustody } from '@bulkhead/server';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';

export async function address(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('address', terminal.words, { client: { type: 'string' }, chain: { type: 'string' } });
  const wanted = needed('address', 'client', options.client);
  const chain = parseChainId(needed('address', 'chain', options.chain));
  const configuration = await withChain(terminal, chain);
  await using opened = await withProgress(terminal, 'opening', () => openCustody(configuration));
  const { custody } = opened;
  const client = await clientCalled(custody.db, wanted);
  if (client === undefined) {
    terminal.err(`bulkhead: There is no client with the reference or id "${wanted.slice(0, 80)}".`);
    return exitCodes.found;
  }
  const wallet = doneOr(terminal, await issueClientWallet(custody, byHand('address'), { clientId: client, chain }));
  if (wallet === undefined) return exitCodes.found;
  terminal.out(wallet.address);
  terminal.err(
    `Compartment ${wallet.compartment}, ${wallet.derivationPath}, keys: ${wallet.keyResidency}, wallet ${wallet.id}.`,
  );
  return exitCodes.ok;
}

/**
 * The configuration of a command about one chain.
 *
 * @throws CustodyError `chain/unknown` before anything is opened
 */
export async function withChain(terminal: Terminal, chain: ChainId): Promise<Configuration> {
  const configuration = loadConfiguration(terminal.folder, terminal.environment);
  const known = configuration.chains.map(({ id }) => id);
  if (known.includes(chain)) return besideRunning(configuration);
  throw new CustodyError('chain/unknown', `${chain} is not configured; configured are: ${known.join(', ')}.`);
}

/** The client with this reference, or this id. */
export async function clientCalled(db: Queries, wanted: string): Promise<string | undefined> {
  const [named] = await listClients(db, { reference: wanted, after: null, limit: 1 });
  return named?.id ?? (await findClient(db, wanted))?.id;
}

/** A command typed twice is two wishes: each has a key of its own. */
export function byHand(command: string): WriteCall {
  return { actor: { name: 'command-line', role: 'admin' }, idempotency: { key: randomUUID(), fingerprint: command } };
}

/** The view of a write that was done; a refusal is printed. */
export function doneOr<View>(terminal: Terminal, { outcome }: Answer<View>): View | undefined {
  switch (outcome.status) {
    case 'done':
      return outcome.view;
    case 'refused':
      terminal.err(`bulkhead: ${outcome.message}`);
      return undefined;
    case 'key-reused':
      terminal.err('bulkhead: The key of this command was used before. Run it again.');
      return undefined;
  }
}
