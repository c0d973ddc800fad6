import type { RegistryItem } from '@bulkhead/authority';
import { type ChainId, checksumAddress, invariant, nativeAsset, tokenAsset } from '@bulkhead/domain';
import type { Configuration } from '../config.ts';
import { policyOf, rulesFor } from '../development/first-list.ts';
import { developmentTokens } from '../development-secrets.ts';
import type { RunningServer } from '../wire.ts';
import { ApiUser, type Cast } from './client.ts';
import { Outside, stage } from './outside.ts';
import { Signatories } from './people.ts';
import { exitBooked, hasLeft, leaveAlone, leaverOf } from './leaving.ts';
import { proofLines } from './proof-acts.ts';
import type { Scene, Telling } from './scene.ts';
import { playStory, reconcile, wasPlayed } from './story.ts';
import { resultTable } from './table.ts';

export type Demonstration = {
  /** For people: the table of ring-fences. */
  readonly lines: readonly string[];
  /** Whether every difference between books and chain is an open break. */
  readonly sound: boolean;
};

/** What is to be done while nothing of the custodian runs. Undefined where everything was done. */
export type LastAct = { readonly perform: () => Promise<void> };

/**
 * Plays the story on a server with an embedded chain and tokens of its own making. Every step of it is idempotent, so on data
 * where it was played before it ends at once, and where it was interrupted it goes on. Undefined on any other server: nobody's
 * real chain or people are played with.
 */
export async function demonstrate(
  server: RunningServer,
  configuration: Configuration,
  telling: Telling,
): Promise<Demonstration | LastAct | undefined> {
  const { say, typed } = telling;
  const scene = sceneOf(server, configuration, telling);
  if (scene === undefined) return undefined;
  if (server.custody.vaults === undefined) {
    say('This installation has no vaults: the story is played on one that has them. --fresh begins anew.');
    return undefined;
  }
  await scene.outside.buildStage();
  say(`A token stands on it: bUSD, an ERC-20 by OpenZeppelin, at ${checksumAddress(stage.token)}.`);
  await allowAssets(scene, scene.chain);
  await allowTokenInRegistry(scene);
  if (await wasPlayed(scene)) {
    say('The story was played on this data before. A new reconciliation, and how things stand now:');
    await reconcile(scene, `reconcile-${new Date().toISOString()}`);
  } else {
    await playStory(scene);
  }
  if (!(await hasLeft(scene))) {
    const leaver = await leaverOf(scene);
    return { perform: () => leaveAlone(configuration, { ...leaver, typed, say }) };
  }
  await exitBooked(scene);
  return conclusion(scene);
}

/** Goes on after the last act, on a server that was started again: what happened meanwhile is in the books. */
export async function conclude(
  server: RunningServer,
  configuration: Configuration,
  telling: Telling,
): Promise<Demonstration | undefined> {
  const scene = sceneOf(server, configuration, telling);
  if (scene === undefined) return undefined;
  await exitBooked(scene);
  await reconcile(scene, `reconcile-${new Date().toISOString()}`);
  return conclusion(scene);
}

function sceneOf(server: RunningServer, configuration: Configuration, telling: Telling): Scene | undefined {
  const embedded = [...server.chains].find(([, chain]) => chain.embeddedUrl !== undefined);
  const url = embedded?.[1].embeddedUrl;
  const { signer, dataDirectory } = configuration;
  if (embedded === undefined || url === undefined || server.tokensMadeAt === undefined) return undefined;
  if (signer.kind !== 'development') return undefined;
  const api = new ApiUser(server.url);
  const cast = castOf(configuration);
  return {
    api,
    cast,
    signatories: new Signatories(api, signer.peopleDirectory, cast),
    approvals: configuration.policy.quorum,
    outside: new Outside(url),
    chain: embedded[0],
    custody: server.custody,
    dataDirectory,
    ...telling,
  };
}

async function conclusion(scene: Scene): Promise<Demonstration> {
  const table = await resultTable(scene);
  const open = await scene.api.list(scene.cast.operator, '/v1/breaks?state=open');
  const proofs = await proofLines(scene);
  return {
    lines: [...table.lines, ...(proofs.length === 0 ? [] : ['', ...proofs])],
    sound: table.differences === open.length,
  };
}

function castOf(configuration: Configuration): Cast {
  const tokens = developmentTokens(configuration);
  const token = (name: string): string => tokens.find((one) => one.name === name)?.token ?? '';
  return { admin: token('admin'), operator: token('operator'), approvers: [token('approver-1'), token('approver-2')] };
}

async function allowAssets({ api, cast }: Scene, chain: ChainId): Promise<void> {
  const coin = { asset: nativeAsset(chain), symbol: 'ETH', decimals: 18, behaviour: 'native', dustMax: '1000000000' };
  const token = {
    asset: tokenAsset(chain, stage.token),
    symbol: 'bUSD',
    decimals: 6,
    behaviour: 'standard',
    dustMax: '0',
  };
  await api.write(cast.admin, '/v1/assets', { step: 'asset-coin', body: coin });
  await api.write(cast.admin, '/v1/assets', { step: 'asset-token', body: token });
}

/** The signer pays no token that the root quorum has not put on its list; a row in the database changes nothing about that. */
async function allowTokenInRegistry({ signatories, outside, chain, approvals, say }: Scene): Promise<void> {
  const token = { id: tokenAsset(chain, stage.token), decimals: 6 };
  const rules = [...rulesFor({ id: nativeAsset(chain), decimals: 18 }, approvals), ...rulesFor(token, approvals)];
  const version = await signatories.changeRegistry('admin', {
    step: 'registry-token',
    kind: 'policy-change',
    items: [
      {
        item: 'asset',
        asset: token.id,
        symbol: 'bUSD',
        decimals: token.decimals,
        codeHash: await outside.tokenCodeHash(),
      },
      wired({ item: 'policy', ...policyOf(rules) }),
    ],
  });
  say(
    `The signer pays no token that it does not know: two people of the root quorum sign bUSD and its limits, registry version ${version}.`,
  );
}

/** As the API takes it: amounts are decimal text. */
function wired(item: RegistryItem): object {
  const text = JSON.stringify(item, (_name, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  const parsed: unknown = JSON.parse(text);
  invariant(typeof parsed === 'object' && parsed !== null, 'An item of a registry is an object.');
  return parsed;
}
