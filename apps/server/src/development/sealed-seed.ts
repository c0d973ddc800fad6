import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { entropyBytesDefault, openToken, sealSeed, secretOf, type Token } from '@bulkhead/keys';
import { identityLabel, logLabel, sealingLabel, slots } from './set-up-order.ts';
import { makeTokens } from './softhsm.ts';

/** A seed of a token's own randomness, sealed to both; in each an identity key that never leaves it, and in the first the log's. */
export async function sealIntoTokens(directory: string, library: string): Promise<void> {
  makeTokens(directory, library);
  await using open = new AsyncDisposableStack();
  const [first, second] = [open.use(await tokenOf(directory, slots[0])), open.use(await tokenOf(directory, slots[1]))];
  for (const token of [first, second]) {
    await token.generateEd25519(identityLabel);
    await token.generateSealingKey(sealingLabel);
  }
  await first.generateEd25519(logLabel);
  using entropy = secretOf(await first.random(entropyBytesDefault));
  await sealSeed({
    path: join(directory, 'keys', 'seed.json'),
    entropy,
    slots: { hsm_slot_1: { token: first, kek: sealingLabel }, hsm_slot_2: { token: second, kek: sealingLabel } },
  });
}

async function tokenOf(directory: string, name: string): Promise<Token> {
  const folder = join(directory, 'hsm', name);
  return openToken({
    library: join(folder, 'libsofthsm2.so'),
    label: name,
    pin: () => readFileSync(join(folder, 'pin')),
    environment: { SOFTHSM2_CONF: join(folder, 'softhsm2.conf') },
  });
}
