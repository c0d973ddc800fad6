import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepProof } from '@bulkhead/custody';
import { type AssetId, formatDecimal, invariant, nativeAsset, tokenAsset } from '@bulkhead/domain';
import { field, numberIn, until, words } from './client.ts';
import { stage } from './outside.ts';
import type { Player, Players, Scene } from './scene.ts';

/** What is proven here. */
export function provenUnits({
  chain,
}: Scene): readonly { readonly asset: AssetId; readonly symbol: string; readonly decimals: number }[] {
  return [
    { asset: nativeAsset(chain), symbol: 'ETH', decimals: 18 },
    { asset: tokenAsset(chain, stage.token), symbol: 'bUSD', decimals: 6 },
  ];
}

type Proven = ReturnType<typeof provenUnits>[number] & { readonly proof: unknown };

/**
 * An epoch of each asset: pinned, drawn by a block that nobody knew, proven in full. It waits for blocks most of the time, so that it goes on
 * beside the story; undefined where there is no registry.
 */
export async function provenEpochs(scene: Scene): Promise<readonly Proven[] | undefined> {
  if (scene.custody.proofs === undefined) return undefined;
  return Promise.all(
    provenUnits(scene).map(async (unit) => ({ ...unit, proof: await provenEpoch(scene, unit.asset) })),
  );
}

/** Tells of the proofs, and has a client check what it was given. */
export async function tellProofs(
  scene: Scene,
  { celsus }: Players,
  proofs: readonly Proven[] | undefined,
): Promise<void> {
  const { say } = scene;
  if (proofs === undefined) {
    say('This installation was made before there were proofs of reserves: --fresh begins one that has them.');
    return;
  }
  for (const { proof, symbol, decimals } of proofs) {
    const reserves = formatDecimal(BigInt(words(proof, 'reserves')), decimals);
    say(
      `Proof of reserves of ${symbol}, epoch ${words(proof, 'epoch')}: ${reserves} ${symbol} in compartments of clients, each covered; ${words(proof, 'tier')} tier,`,
    );
  }
  say(
    'signed by two of three, pinned by a contract on the chain, drawn by the hash of a later block and proven in full.',
  );
  const [coin] = proofs;
  invariant(coin !== undefined, 'The coin of the chain is proven.');
  await checkOwn(scene, celsus, coin);
}

/** The epoch of an asset, once it is proven; each look brings it a step further. */
async function provenEpoch(scene: Scene, asset: AssetId): Promise<unknown> {
  const { api, cast, custody, outside } = scene;
  return until(`the proof of ${asset}`, async () => {
    const [newest] = await api.list(cast.operator, `/v1/proofs?asset=${encodeURIComponent(asset)}`);
    if (newest !== undefined && field(newest, 'state') === 'proven') return newest;
    const isOpen = newest !== undefined && !['abandoned', 'lapsed'].some((over) => field(newest, 'state') === over);
    await keepProof(custody, asset, { asked: !isOpen });
    await outside.mine(1);
    return undefined;
  });
}

/** With a file, an address of a contract, a node, and what Celsus has in its own books; and nothing of the custodian. */
async function checkOwn(
  scene: Scene,
  player: Player,
  { asset, proof }: { readonly asset: AssetId; readonly proof: unknown },
): Promise<void> {
  const { api, cast, dataDirectory, say, typed } = scene;
  const path = `/v1/clients/${player.id}/proof?asset=${encodeURIComponent(asset)}&epoch=${words(proof, 'epoch')}`;
  const claims = field(await api.read(cast.operator, path), 'claims');
  const claim: unknown = Array.isArray(claims)
    ? claims.find((one: unknown) => field(one, 'kind') === 'client')
    : undefined;
  const bytes = Buffer.from(words(claim, 'package'), 'base64');
  const [own, forged] = ['celsus.package', 'forged.package'].map((name) => join(dataDirectory, 'clients', name));
  invariant(own !== undefined && forged !== undefined, 'There are two files.');
  writeFileSync(own, bytes);
  // One bit, in the last hash of the path.
  writeFileSync(forged, bytes.with(-1, (bytes.at(-1) ?? 0) ^ 1));
  const options = {
    registry: `${words(proof, 'chain')}:${words(proof, 'registry')}`,
    rpc: scene.outside.url,
    client: player.id,
    compartment: String(numberIn(claim, 'compartment')),
    amount: String(await claimOf(scene, player, asset)),
  };
  const known = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  say('Celsus checks its own claim, with the file that it was given, its own books, and a node:');
  await typed(['verify', own, ...known], 'holds');
  say('With one bit of the file changed:');
  await typed(['verify', forged, ...known], 'fails');
}

/** What a client has in one asset, whatever it may do with it now. */
async function claimOf({ api, cast }: Scene, player: Player, asset: AssetId): Promise<bigint> {
  const balances = await api.list(cast.operator, `/v1/clients/${player.id}/balances`);
  return balances
    .filter((one) => field(one, 'asset') === asset && field(one, 'compartment') === player.compartment)
    .flatMap((one) => ['available', 'held', 'quarantine', 'gas'].map((part) => BigInt(words(one, part))))
    .reduce((sum, amount) => sum + amount, 0n);
}

/** What is gone cannot be proven: there is no next epoch before somebody has covered it. */
export async function unprovable(scene: Scene): Promise<void> {
  const { custody, chain, say } = scene;
  if (custody.proofs === undefined) return;
  const { troubles } = await keepProof(custody, nativeAsset(chain), { asked: true });
  invariant(troubles.length > 0, 'A compartment that lacks coins was proven.');
  say(`The next epoch of ETH cannot be proven: ${troubles.join(' ')}`);
}

/** How the proofs stand, for the end. */
export async function proofLines(scene: Scene): Promise<readonly string[]> {
  const { api, cast } = scene;
  const lines: string[] = [];
  for (const { asset, symbol } of provenUnits(scene)) {
    const all = await api.list(cast.operator, `/v1/proofs?asset=${encodeURIComponent(asset)}`);
    const proven = all.find((one) => field(one, 'state') === 'proven');
    if (proven === undefined) continue;
    const transactionHash = words(field(proven, 'proven'), 'transactionHash');
    lines.push(
      `Proof of reserves of ${symbol}: epoch ${words(proven, 'epoch')} at block ${words(field(proven, 'block'), 'number')}, proven by ${transactionHash}`,
    );
  }
  return lines;
}
