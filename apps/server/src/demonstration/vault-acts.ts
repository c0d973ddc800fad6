import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { nobleHashes } from '@bulkhead/authority';
import {
  type Address,
  CustodyError,
  invariant,
  nativeAsset,
  parseAddress,
  parseCompartment,
  type VaultIntent,
} from '@bulkhead/domain';
import {
  callData,
  type Hex,
  hexOf,
  isHexOf,
  nativeToken,
  parseVaultConfig,
  parseVaultRefusal,
  quorumSignatures,
  typedDigest,
  vaultCalls,
  type VaultConfig,
  vaultDomain,
  vaultForms,
} from '@bulkhead/vaults';
import { field, words } from './client.ts';
import { insiderAnswerForm, type InsiderOrder } from './insider-order.ts';
import { fresh, seller, thief } from './outside.ts';
import type { Player, Players, Scene } from './scene.ts';
import { approve, ended, request } from './asking.ts';
import { keysOf, signedBy } from './vault-desk.ts';

const ether = 10n ** 18n;

/** A vault of a client, as the API shows it. */
export async function vaultOf({ api, cast }: Scene, { id }: Pick<Player, 'id'>): Promise<unknown> {
  const [vault] = await api.list(cast.operator, `/v1/vaults?clientId=${id}`);
  return vault;
}

/** Four ways to have a vault pay somebody whom its client never agreed to, each with more power than the one before. */
export async function attackVault(scene: Scene, { aurora }: Players): Promise<void> {
  const { api, cast, chain, outside, say } = scene;
  const asked = await api.ask(cast.operator, '/v1/withdrawals', {
    step: 'wd-fresh',
    body: { clientId: aurora.id, asset: nativeAsset(chain), amount: String(ether / 10n), destination: fresh },
  });
  invariant(asked.status >= 400, 'A payment to an address that nobody listed was accepted.');
  say(
    `Somebody asks for 0.1 ETH of Aurora to an address that its vault does not list: refused (${codeOf(asked.body)}).`,
  );
  say(
    `Somebody who has taken over the server asks the signers for it: refused by each (${await byServer(scene, aurora)}).`,
  );
  const before = await outside.coinOf(aurora.address);
  const alone = await byMembers(scene, aurora, ['vault-signer-2']);
  say(
    `A thief with the tokens and the PIN of one signer signs it himself, and has it mined: the vault refuses (${alone}).`,
  );
  const both = await byMembers(scene, aurora, ['vault-signer-2', 'vault-signer-3']);
  say(
    `With two of the three, which is all that a payment needs, he may pay Aurora's own address and no other: refused (${both}).`,
  );
  invariant((await outside.coinOf(aurora.address)) === before, 'A thief has moved coins of a vault.');
}

/** The signers of the registry never saw this destination, so none of them signs, whoever asks. */
async function byServer({ custody, chain }: Scene, player: Player): Promise<string> {
  invariant(custody.vaults !== undefined, 'The story has vaults.');
  const deadline = BigInt(Math.floor(Date.now() / 1_000)) + 3_600n;
  const intent: VaultIntent = {
    deployment: custody.deployment,
    kind: 'vault-withdrawal',
    id: 'wd_taken-over',
    compartment: parseCompartment(player.compartment),
    asset: nativeAsset(chain),
    to: fresh,
    amount: ether / 10n,
    feeMax: ether / 1_000n,
    client: player.id,
    vault: player.address,
    vaultNonce: stolenNonce,
    deadline,
    authorisation: 'listed',
    expiresAt: deadline,
  };
  try {
    await custody.vaults.quorum.signVault({ intent, evidence: { approvals: [] } });
  } catch (error) {
    if (error instanceof CustodyError) return error.code;
    throw error;
  }
  throw new CustodyError('invariant/broken', 'The signers signed a payment to an address that nobody enrolled.');
}

/** A nonce that no payment of the custodian takes: they are counted from 0. */
const stolenNonce = 4_000_000_000n;

/** Signs with the keys of the signer set, past every process, and hands it to the vault. @returns how the vault calls its refusal */
async function byMembers(scene: Scene, player: Player, folders: readonly string[]): Promise<string> {
  const { chain, outside } = scene;
  const config = await configurationOf(scene, player);
  const deadline = (await outside.time()) + 3_600n;
  const message = { token: nativeToken, to: thief, amount: ether / 10n, nonce: stolenNonce, deadline };
  const digest = typedDigest(nobleHashes, vaultDomain(chain, player.address), { form: vaultForms.withdrawal, message });
  const signatures = quorumSignatures(await stolenSignatures(scene, folders, hexOf(digest)));
  const data = callData(nobleHashes, vaultCalls.pay, { config, message, signatures });
  const refused = await outside.refusalOf(player.address, data);
  invariant(refused !== undefined && !(await outside.relay(player.address, data)), 'A vault paid a thief.');
  return parseVaultRefusal(nobleHashes, refused)?.refusal ?? 'reverted';
}

async function configurationOf(scene: Scene, player: Pick<Player, 'id'>): Promise<VaultConfig> {
  return parseVaultConfig(field(await vaultOf(scene, player), 'configuration'));
}

const insider = fileURLToPath(new URL('insider-process.ts', import.meta.url));

async function stolenSignatures(
  { dataDirectory }: Scene,
  folders: readonly string[],
  digest: Hex,
): Promise<ReadonlyMap<Address, Hex>> {
  const configurations = folders.map((folder): unknown =>
    JSON.parse(readFileSync(join(dataDirectory, folder, 'signer.json'), 'utf8')),
  );
  const order: InsiderOrder = { configurations, digest };
  const said = await processSays(insider, order);
  return new Map(
    insiderAnswerForm.parse(said).map(({ member, signature }) => {
      invariant(isHexOf(signature, 65), 'A signature for a vault has 65 bytes.');
      return [parseAddress(member), signature];
    }),
  );
}

/** Runs a process that is no part of the server: it is told one thing, and says one. */
async function processSays(program: string, order: object): Promise<unknown> {
  const child = spawn(process.execPath, [program], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' },
  });
  child.stdin.on('error', () => undefined).end(JSON.stringify(order));
  const [said, complaint] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  invariant(said !== '', `${program} ended and said: ${complaint.slice(-500)}`);
  const parsed: unknown = JSON.parse(said);
  return parsed;
}

/** Above any limit and to anybody, once: the people of the custodian and the client's own key, over the same text. */
export async function payOnce(scene: Scene, { boreas }: Players): Promise<void> {
  const { api, cast, chain, say } = scene;
  const wish = { asset: nativeAsset(chain), amount: (ether * 3n) / 10n, to: seller, feePayer: 'house' };
  const id = await request(scene, { step: 'wd-once', player: boreas, ...wish, oneOff: true });
  const vault = field(await api.read(cast.operator, `/v1/withdrawals/${id}`), 'vault');
  const toSign = field(vault, 'clientMustSign');
  if (toSign !== null) {
    await api.write(cast.operator, `/v1/withdrawals/${id}/client-signature`, {
      step: `client-signature-${id}`,
      body: { signature: await signedBy((await keysOf(scene, 'boreas')).client, toSign) },
    });
  }
  await approve(scene, id);
  say(
    `0.3 ETH of Boreas, once, to a seller whom its vault does not list: the people of the custodian sign it, and Boreas with its passkey: ${await ended(scene, id)}.`,
  );
}

function codeOf(body: unknown): string {
  return words(body, 'code');
}
