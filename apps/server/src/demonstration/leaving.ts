import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { nobleHashes } from '@bulkhead/authority';
import { type Address, formatDecimal, parseAddress } from '@bulkhead/domain';
import { answerOf, callData, nativeToken, vaultQuestions } from '@bulkhead/vaults';
import { startNodes } from '../chains.ts';
import type { Configuration } from '../config.ts';
import { privateText } from '../private-file.ts';
import { field, until, words } from './client.ts';
import { clientsRefuge, Outside, relayerKey, stage } from './outside.ts';
import type { Scene, Typed } from './scene.ts';
import { vaultOf } from './vault-acts.ts';
import { certificatePath, exitKeyPath } from './vault-desk.ts';

/** Whether Boreas has taken everything out of its vault. */
export async function hasLeft(scene: Scene): Promise<boolean> {
  const address = await vaultAddress(scene);
  const left = await Promise.all([nativeToken, stage.token].map((token) => scene.outside.held(address, token)));
  return left.every((amount) => amount === 0n);
}

async function vaultAddress(scene: Scene): Promise<ReturnType<typeof parseAddress>> {
  return parseAddress(words(await vaultOf(scene, { id: await boreas(scene) }), 'address'));
}

async function boreas({ api, cast }: Scene): Promise<string> {
  const [client] = await api.list(cast.operator, '/v1/clients?reference=Boreas%20Capital');
  return words(client, 'id');
}

/** What is known of the client who leaves while the server still runs. */
export async function leaverOf(scene: Scene): Promise<{ readonly vault: Address }> {
  return { vault: await vaultAddress(scene) };
}

/**
 * The exit of a client while nothing of the custodian runs: no server, no signer, no database. What runs is the chain, which is nobody's,
 * and the command that a client has, with the certificate, the exit key and the address of a node. Whoever pays the gas gets no right by it.
 */
export async function leaveAlone(
  configuration: Configuration,
  { vault, typed, say }: { readonly vault: Address; readonly typed: Typed; readonly say: (line: string) => void },
): Promise<void> {
  const { dataDirectory } = configuration;
  await using parts = new AsyncDisposableStack();
  const nodes = await startNodes(configuration, { parts, tell: () => undefined });
  const [rpc = ''] = nodes.values();
  const outside = new Outside(rpc);
  say('');
  say(
    'The custodian stops: server, signers and database are gone. Boreas has its certificate, its exit key and a node.',
  );
  const certificate = ['--certificate', certificatePath({ dataDirectory }, 'boreas'), '--rpc', rpc];
  const relayer = ['--relayer', relayerKeyPath({ dataDirectory })];
  const key = ['--key', exitKeyPath({ dataDirectory }, 'boreas')];
  await typed(['vault', 'exit', 'request', ...certificate, ...relayer, ...key]);
  const open = await exitReadyAt(outside, vault);
  while ((await outside.time()) < open) {
    await pause(blockPauseMs);
    await outside.mine(1);
  }
  const coin = await outside.held(vault, nativeToken);
  await typed(['vault', 'exit', 'pay', ...certificate, ...relayer]);
  say(
    `It asked its vault for the exit, waited for the delay that was agreed, and has ${formatDecimal(coin, 18)} ETH at ${clientsRefuge}.`,
  );
  say('');
}

const blockPauseMs = 500;

async function exitReadyAt(outside: Outside, vault: Address): Promise<bigint> {
  const answer = await outside.ask(vault, callData(nobleHashes, vaultQuestions.gate, {}));
  return answerOf(vaultQuestions.gate, answer).exitReadyAt;
}

/** The key of an account that anvil gives to everybody, in a file as the command wants it. */
function relayerKeyPath({ dataDirectory }: Pick<Scene, 'dataDirectory'>): string {
  const path = join(dataDirectory, 'clients', 'relayer.key');
  privateText(path, () => relayerKey);
  return path;
}

/** A server that was away finds the exit on the chain like everything else: it voids holds and debits the claims, and is no break. */
export async function exitBooked(scene: Scene): Promise<void> {
  const { api, cast, outside, say } = scene;
  const head = BigInt(String(await outside.rpc('eth_blockNumber')));
  await outside.mine(3);
  await until('the exit to be booked', async () => {
    const booked = field(await api.read(cast.operator, `/v1/chains/${scene.chain}`), 'booked');
    if (typeof booked !== 'string' || BigInt(booked) < head) return undefined;
    const id = await boreas(scene);
    const balances = await api.list(cast.operator, `/v1/clients/${id}/balances`);
    const claims = ['available', 'held', 'quarantine'].flatMap((part) =>
      balances.map((one) => BigInt(words(one, part))),
    );
    return claims.every((amount) => amount === 0n) ? true : undefined;
  });
  say('A server that was started again has found the exit on the chain and booked it: Boreas has no claim any more.');
}
