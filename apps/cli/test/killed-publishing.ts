import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDevelopmentNode } from '@bulkhead/chain-evm/testing';
import { parseAssetId } from '@bulkhead/domain';
import { openDatabase } from '@bulkhead/postgres';
import { assetWord, hexOf, proofEventTopic, wordOf } from '@bulkhead/vaults';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { run, type Shell } from './shell.ts';

/** Without the launcher in front, which would answer for what was killed. */
const program = fileURLToPath(new URL('../bin/bulkhead.ts', import.meta.url));
const killer = import.meta.resolve('../../../packages/postgres/test/ended-at-a-write.ts');
/** Where it stands what was made, signed and sent. */
const written = String.raw`reserves\.|custody\.proof_act|custody\.dispatch`;
/** More lives than it takes: each gets at least one write further. */
const livesMax = 40;

type Running = { readonly database: { readonly ownerUrl: string }; readonly chains: Readonly<Record<string, string>> };

/**
 * Publishes one epoch of an asset by a command that is killed before each of its commits, until the epoch is proven: it has one content, the
 * registry has it once, and every byte that was made for it is the one that the signers signed.
 */
export async function killedWhilePublishing(
  shell: Shell,
  at: { readonly asset: string; readonly read: (path: string) => Promise<unknown> },
): Promise<void> {
  const { database, chains }: Running = JSON.parse(
    readFileSync(join(shell.folder, '.bulkhead', 'running.json'), 'utf8'),
  );
  const node = openDevelopmentNode(chains['eip155:31337'] ?? assert.fail());
  await using owner = openDatabase({ url: database.ownerUrl, connections: 1 });
  const epochsOf = async (): Promise<readonly Record<string, string>[]> =>
    owner.query(
      `select e.epoch::text as epoch, encode(e.context, 'hex') as context, encode(m.record, 'hex') as record,
         exists (select from reserves.step s where s.context = e.context and s.state = 'proven') as proven
       from reserves.epoch e left join reserves.step m on m.context = e.context and m.state = 'made'
       where e.asset = $1 order by e.epoch, e.begun_at`,
      [at.asset],
    ) as Promise<readonly Record<string, string>[]>;
  const before = (await epochsOf()).length;
  let killed = 0;
  const told: string[] = [];
  for (let life = 0; ; life += 1) {
    assert.ok(life < livesMax, told.join('\n'));
    const known = await epochsOf();
    if (known.length > before && known.every(({ proven }) => proven)) break;
    const words = ['proof', 'publish', '--asset', at.asset, ...(known.length > before ? [] : ['--now'])];
    const environment = { ...shell.environment, NODE_OPTIONS: `--import=${killer}`, ENDED_AT_WRITES_OF: written };
    const { code, out, err } = await run({ ...shell, program, environment }, ...words);
    told.push(`${code} ${out} ${err}`);
    if (code === null) killed += 1;
    // What a killed maker held is free when its time is over.
    await owner.query(`update custody.proof_maker set held_until = now() - interval '1 second'`);
    await node.mine(2);
  }
  // The server beside it takes steps as well, and more of them the slower the machine is.
  assert.ok(killed > 0, 'no life was ended');
  const all = await epochsOf();
  assert.equal(all.length, before + 1, 'no number was begun twice');
  const { epoch = '', context = '', record = '' } = all.at(-1) ?? {};
  const hashes = { keccak256: keccak_256 };
  const topics = (name: 'Committed' | 'Proven'): readonly string[] => [
    proofEventTopic(hashes, name),
    assetWord(hashes, parseAssetId(at.asset)),
    ...(name === 'Committed' ? [hexOf(wordOf(BigInt(epoch)))] : []),
  ];
  const logs = async (name: 'Committed' | 'Proven'): Promise<readonly { readonly data: string }[]> =>
    (await node.call('eth_getLogs', { fromBlock: '0x0', topics: topics(name) })) as readonly {
      readonly data: string;
    }[];
  const [pinned, ...again] = await logs('Committed');
  assert.equal(again.length, 0);
  assert.equal(pinned?.data.slice(2, 2 + 128), `${context}${record}`, 'the registry has what is stored');
  assert.equal((await logs('Proven')).length, all.length);
  const made = await at.read(`proofs/${encodeURIComponent(at.asset)}/${epoch}`);
  assert.ok(typeof made === 'object' && made !== null && 'manifest' in made);
  assert.equal((await logs('Proven')).at(-1)?.data.slice(0, 66), made.manifest, 'and the files that are here');
}
