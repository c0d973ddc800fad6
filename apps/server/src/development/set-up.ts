import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { listText, parseList } from '@bulkhead/authority';
import { CustodyError } from '@bulkhead/domain';
import { createKeyFile, type ScryptCost } from '@bulkhead/keys';
import { checkConfiguration, createState, nativeHashes, openKeys } from '@bulkhead/signer';
import { privateText } from '../private-file.ts';
import { makePeople } from './people-keys.ts';
import { sealIntoTokens } from './sealed-seed.ts';
import { type SetUpOrder, setUpOrderForm } from './set-up-order.ts';

/** The passphrase has 256 random bits: nobody guesses it, however cheap a guess is. */
const randomPassphraseCost: ScryptCost = { log2N: 12, r: 8, p: 1 };

/**
 * The ceremony of an installation for development, as a process of its own that ends when it is done: keys are made here, and no
 * process that lives on has ever had them. Coins that such keys hold must be worth nothing: nobody has watched.
 */
async function setUp(order: SetUpOrder): Promise<readonly string[]> {
  const { directory, deployment, list } = order;
  const configuration = checkConfiguration(order.configuration);
  mkdirSync(join(directory, 'keys'), { recursive: true, mode: 0o700 });
  mkdirSync(configuration.state, { recursive: true, mode: 0o700 });
  if (order.softhsm === null) await makeKeyFile(directory);
  else await sealIntoTokens(directory, order.softhsm);
  await using keys = await openKeys(configuration);
  const identities = keys.identities.map(({ publicKey }) => publicKey);
  const people = await makePeople(order.peopleDirectory, { deployment, identities });
  await createState({
    stateDirectory: configuration.state,
    identities: keys.identities,
    heads: keys.heads,
    hashes: nativeHashes(),
    clock: { now: () => new Date() },
    genesis: { deployment, list: listText([...people, ...parseList(list)]) },
  });
  return identities;
}

async function makeKeyFile(directory: string): Promise<void> {
  const passphrase = privateText(join(directory, 'keys', 'passphrase'), () => randomBytes(32).toString('base64url'));
  await createKeyFile({ path: join(directory, 'keys', 'keys.json'), passphrase, cost: randomPassphraseCost });
}

try {
  const given: unknown = JSON.parse(await textOf(process.stdin));
  const identities = await setUp(setUpOrderForm.parse(given));
  process.stdout.write(JSON.stringify({ identities }));
} catch (error) {
  if (!(error instanceof CustodyError)) throw error;
  process.stdout.write(JSON.stringify({ failed: { code: error.code, message: error.message } }));
  process.exitCode = 1;
}
