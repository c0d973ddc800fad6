import { fileURLToPath } from 'node:url';
import { formatDecimal, parseAddress } from '@bulkhead/domain';
import { nativeToken } from '@bulkhead/vaults';
import { z } from 'zod';
import { startNodes } from '../chains.ts';
import type { Configuration } from '../config.ts';
import { field, until, words } from './client.ts';
import type { LeavingOrder } from './leaving-order.ts';
import { stage } from './outside.ts';
import type { Scene } from './scene.ts';
import { processSays, vaultOf } from './vault-acts.ts';
import { certificatePath, exitKeyPath } from './vault-desk.ts';

const leaver = fileURLToPath(new URL('leaving-process.ts', import.meta.url));

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

const leftForm = z.object({ vault: z.string(), to: z.string(), taken: z.record(z.string(), z.string()) });

/**
 * The exit of a client while nothing of the custodian runs: no server, no signer, no database. What runs is the chain, which is nobody's,
 * and a process of the client, which has the certificate, the exit key and the address of a node.
 */
export async function leaveAlone(configuration: Configuration, say: (line: string) => void): Promise<void> {
  const { dataDirectory } = configuration;
  await using parts = new AsyncDisposableStack();
  const nodes = await startNodes(configuration, { parts, tell: () => undefined });
  const [rpc] = nodes.values();
  const order: LeavingOrder = {
    certificateFile: certificatePath({ dataDirectory }, 'boreas'),
    exitKeyFile: exitKeyPath({ dataDirectory }, 'boreas'),
    rpc: rpc ?? '',
    tokens: [stage.token],
  };
  say('');
  say(
    'The custodian stops: server, signers and database are gone. Boreas has its certificate, its exit key and a node.',
  );
  const { to, taken } = leftForm.parse(await processSays(leaver, order));
  const coin = BigInt(taken[nativeToken] ?? '0');
  say(
    `It asks its vault for the exit, waits for the delay that was agreed, and has ${formatDecimal(coin, 18)} ETH at ${to}.`,
  );
  say('');
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
