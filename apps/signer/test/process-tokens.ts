import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTokenIdentity, openToken, sealSeed, secretOf, type Token } from '@bulkhead/keys';
import type { SignerConfigurationFile } from '../src/process/configuration.ts';
import { entropy, openState, type Stage, stageOf } from './process-stage.ts';

export const pin = '94718364';
const names = ['hsm_slot_1', 'hsm_slot_2'] as const;
const library = '/usr/lib/softhsm/libsofthsm2.so';

/** SoftHSM twice: a copy of the library with a configuration of its own is a module of its own. */
function makeToken(directory: string, name: string): SignerTokenFile {
  const folder = join(directory, name);
  mkdirSync(join(folder, 'tokens'), { recursive: true, mode: 0o700 });
  const own = join(folder, 'libsofthsm2.so');
  copyFileSync(library, own);
  const configuration = join(folder, 'softhsm2.conf');
  writeFileSync(
    configuration,
    `directories.tokendir = ${folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  execFileSync('softhsm2-util', ['--init-token', '--free', '--label', name, '--so-pin', '12345678', '--pin', pin], {
    env: { ...process.env, SOFTHSM2_CONF: configuration },
    stdio: 'ignore',
  });
  writeFileSync(join(folder, 'pin'), `${pin}\n`, { mode: 0o400 });
  const environment = { SOFTHSM2_CONF: configuration };
  return { name, library: own, label: name, pinFile: join(folder, 'pin'), environment };
}

type SignerTokenFile = NonNullable<SignerConfigurationFile['tokens']>[number];

async function openOne({ library: path, label, environment = {} }: SignerTokenFile): Promise<Token> {
  return openToken({ library: path, label, environment, pin: () => Buffer.from(pin) });
}

/** A folder with two tokens, a seed sealed to both, an identity key in each, and the state of a ceremony. */
export async function prepareTokenStage(): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'signer-'));
  const state = join(directory, 'state');
  mkdirSync(state, { mode: 0o700 });
  const tokens = names.map((name) => makeToken(directory, name));
  const envelope = join(directory, 'seed.json');
  {
    await using open = new AsyncDisposableStack();
    const [first, second] = [open.use(await openOne(tokenAt(tokens, 0))), open.use(await openOne(tokenAt(tokens, 1)))];
    for (const token of [first, second]) {
      await createTokenIdentity(token, 'identity');
      await token.generateSealingKey('kek');
    }
    using secret = secretOf(entropy.slice());
    const slots = { hsm_slot_1: { token: first, kek: 'kek' }, hsm_slot_2: { token: second, kek: 'kek' } };
    await sealSeed({ path: envelope, entropy: secret, slots });
  }
  const configuration: SignerConfigurationFile = {
    format: 'bulkhead-signer-configuration-v1',
    development: true,
    state,
    socket: { path: join(directory, 'run', 'signer.sock') },
    tokens,
    tree: { driver: 'pkcs11-sealed-seed', envelope, tokens: [...names] },
    labelled: { driver: 'pkcs11-key', token: names[0] },
    identities: names.map((token) => ({ driver: 'pkcs11', token, label: 'identity' })),
  };
  await openState(configuration);
  return stageOf(directory, configuration);
}

function tokenAt(tokens: readonly SignerTokenFile[], index: number): SignerTokenFile {
  const token = tokens[index];
  if (token === undefined) throw new RangeError(`There is no token ${index}.`);
  return token;
}
