import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { listText } from '@bulkhead/authority';
import { type Address, type Compartment, CustodyError, houseFees, houseSigners, invariant } from '@bulkhead/domain';
import { addressOfPublicKey, createKeyFile, type ScryptCost } from '@bulkhead/keys';
import { checkConfiguration, createState, nativeHashes, type OpenedKeys, openKeys } from '@bulkhead/signer';
import { privateText } from '../private-file.ts';
import { makePeople } from './people-keys.ts';
import { sealIntoTokens } from './sealed-seed.ts';
import { type SetUpAnswer, type SetUpStep, setUpStepForm } from './set-up-order.ts';

/** The passphrase has 256 random bits: nobody guesses it, however cheap a guess is. */
const randomPassphraseCost: ScryptCost = { log2N: 12, r: 8, p: 1 };

type Opened = { readonly keys: OpenedKeys; readonly stateDirectory: string };
type StepOf<Name extends SetUpStep['step']> = Extract<SetUpStep, { readonly step: Name }>;

async function makeKeys(order: StepOf<'keys'>): Promise<Opened> {
  const { directory, softhsm } = order;
  const configuration = checkConfiguration(order.configuration);
  mkdirSync(join(directory, 'keys'), { recursive: true, mode: 0o700 });
  mkdirSync(configuration.state, { recursive: true, mode: 0o700 });
  if (softhsm === null) await makeKeyFile(directory);
  else await sealIntoTokens(directory, softhsm);
  return { keys: await openKeys(configuration), stateDirectory: configuration.state };
}

async function makeKeyFile(directory: string): Promise<void> {
  const passphrase = privateText(join(directory, 'keys', 'passphrase'), () => randomBytes(32).toString('base64url'));
  await createKeyFile({ path: join(directory, 'keys', 'keys.json'), passphrase, cost: randomPassphraseCost });
}

async function begin(
  { keys, stateDirectory }: Opened,
  { deployment, list }: Pick<StepOf<'state'>, 'deployment' | 'list'>,
): Promise<void> {
  await createState({
    stateDirectory,
    identities: keys.identities,
    heads: keys.heads,
    hashes: nativeHashes(),
    clock: { now: () => new Date() },
    genesis: { deployment, list },
  });
}

/**
 * The ceremony of an installation for development, as a process of its own for each signer that ends when it is done: keys are made
 * here, and no process that lives on has ever had them. Coins that such keys hold must be worth nothing: nobody has watched.
 */
async function setUp(): Promise<void> {
  await using opened = new AsyncDisposableStack();
  let signer: Opened | undefined;
  for await (const line of createInterface({ input: process.stdin })) {
    const given: unknown = JSON.parse(line);
    const step = setUpStepForm.parse(given);
    if (step.step === 'people') {
      answer({ people: listText(await makePeople(step.peopleDirectory, step.pins)) });
    } else if (step.step === 'keys') {
      signer = await makeKeys(step);
      opened.use(signer.keys);
      const identities = signer.keys.identities.map(({ publicKey }) => publicKey);
      const [vaultSigner, fees] = [await firstAddress(signer, houseSigners), await firstAddress(signer, houseFees)];
      answer({ identities, vaultSigner, fees });
    } else {
      invariant(signer !== undefined, 'A state is begun after its keys are made.');
      await begin(signer, step);
      answer({ begun: true });
    }
  }
}

async function firstAddress({ keys }: Opened, compartment: Compartment): Promise<Address> {
  const { tree } = keys.drivers;
  invariant(tree !== undefined, 'A signer for development has a tree of keys.');
  return addressOfPublicKey(await tree.publicKey({ compartment, index: 0 }));
}

function answer(content: SetUpAnswer): void {
  process.stdout.write(`${JSON.stringify(content)}\n`);
}

try {
  await setUp();
} catch (error) {
  if (!(error instanceof CustodyError)) throw error;
  answer({ failed: { code: error.code, message: error.message } });
  process.exitCode = 1;
}
