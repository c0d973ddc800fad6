import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openToken, sealSeed, secretOf, createTokenIdentity } from '@bulkhead/keys';
import { main } from '../src/index.ts';
import { endAll, run, type Said } from './shell.ts';
import { makeTestToken, type TestToken } from './softhsm-token.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-doctor-'));
let tokens: readonly [TestToken, TestToken];
before(() => {
  tokens = [makeTestToken(folder, 'site-a'), makeTestToken(folder, 'site-b')];
});
after(() => {
  endAll();
  rmSync(folder, { recursive: true, force: true });
});

const doctor = (...words: readonly string[]): Promise<Said> => run({ folder }, 'doctor', ...words);
/** The same without a process of its own, for what ends at once. */
async function refusal(...words: readonly string[]): Promise<Said> {
  const [out, err]: [string[], string[]] = [[], []];
  const terminal = {
    folder,
    environment: {},
    out: (line: string) => out.push(line),
    err: (line: string) => err.push(line),
  };
  const code = await main({ ...terminal, words: ['doctor', ...words] });
  return { code, out: out.join('\n'), err: err.join('\n') };
}
const words = ({ library, label, configuration, pinFile }: TestToken): readonly string[] => [
  '--library',
  library,
  '--label',
  label,
  '--pin-file',
  pinFile,
  '--environment',
  `SOFTHSM2_CONF=${configuration}`,
];
/** The verdicts, in columns of one width, without colours where nobody looks. */
const rows = /^(?:good|bad|unknown) {2,}\S.*$/gmu;

test('a token is examined, and left as it was', async () => {
  const said = await doctor(...words(tokens[0]));
  assert.deepEqual([said.code, said.err], [0, ''], said.out);
  const lines = said.out.trim().split('\n');
  assert.match(lines.at(-1) ?? '', /^\d+ good, 0 bad, \d+ unknown$/u);
  assert.equal(said.out.match(rows)?.length, lines.length - 1);
  assert.ok(!said.out.includes('\u001B'));
  for (const what of ['latency', 'sessions']) assert.ok(said.out.includes(what), what);
  const again = await doctor(...words(tokens[0]));
  assert.equal(again.code, 0, again.out);
});

test('the drivers of a configuration are examined with throw-away keys', async () => {
  const [one, two] = tokens;
  {
    await using open = new AsyncDisposableStack();
    const slots = [];
    for (const { library, label, configuration } of [one, two]) {
      const environment = { SOFTHSM2_CONF: configuration };
      const token = open.use(await openToken({ library, label, environment, pin: () => Buffer.from('24681357') }));
      await token.generateSealingKey('bulkhead-seal');
      await createTokenIdentity(token);
      slots.push({ token, kek: 'bulkhead-seal' });
    }
    const [first, second] = slots;
    assert.ok(first !== undefined && second !== undefined);
    using entropy = secretOf(Uint8Array.from({ length: 32 }, (_, at) => at));
    await sealSeed({ path: join(folder, 'seed.json'), entropy, slots: { hsm_slot_1: first, hsm_slot_2: second } });
  }
  mkdirSync(join(folder, 'state'), { mode: 0o700 });
  const names = ['hsm_slot_1', 'hsm_slot_2'] as const;
  writeFileSync(
    join(folder, 'signer.json'),
    JSON.stringify({
      format: 'bulkhead-signer-configuration-v1',
      state: join(folder, 'state'),
      socket: { path: join(folder, 'signer.sock') },
      tokens: [one, two].map(({ library, label, pinFile, configuration }, at) => ({
        name: names[at],
        library,
        label,
        pinFile,
        environment: { SOFTHSM2_CONF: configuration },
      })),
      tree: { driver: 'pkcs11-sealed-seed', envelope: join(folder, 'seed.json'), tokens: names },
      labelled: { driver: 'pkcs11-key', token: names[0] },
      identities: names.map((token) => ({ driver: 'pkcs11', token, label: 'bulkhead/identity' })),
    }),
  );
  const said = await doctor('--config', 'signer.json');
  assert.deepEqual([said.code, said.err], [0, ''], said.out);
  assert.match(said.out, /^good +pkcs11-sealed-seed: low s, recovery /mu);
  assert.match(said.out, /^good +pkcs11-sealed-seed: public key +throw-away, m\/44'\/60'\/\d{10}'/mu);
  assert.match(said.out, /^good +pkcs11-key: attributes /mu);
  assert.match(said.out, /^good +pkcs11-key: clean-up /mu);
  for (const given of [
    ['--compartment', '1'],
    ['--key', 'hot'],
  ]) {
    const refused = await refusal('--config', 'signer.json', ...given);
    assert.deepEqual([refused.code, /throw-away keys/u.test(refused.err)], [2, true]);
  }
  assert.match(said.out, /^unknown +pkcs11-sealed-seed: residency +the driver says hsm-sealed/mu);
});

test('what cannot be examined is said in one sentence', async () => {
  const [one] = tokens;
  const absent = await refusal(...words({ ...one, label: 'nobody' }));
  assert.equal(absent.code, 3);
  assert.match(absent.err, /nobody/u);
  const wrongPin = join(folder, 'wrong-pin');
  writeFileSync(wrongPin, '00000000', { mode: 0o400 });
  const refused = await refusal(...words({ ...one, pinFile: wrongPin }));
  assert.equal(refused.code, 3);
  assert.match(refused.err, /does not take the PIN/u);
  assert.ok(!`${refused.err}${refused.out}`.includes('00000000'));
  chmodSync(wrongPin, 0o444);
  const open = await refusal(...words({ ...one, pinFile: wrongPin }));
  assert.deepEqual([open.code, /others may read it/u.test(open.err)], [2, true]);
  for (const given of [[], ['--library', 'x', '--config', 'y'], words(one).slice(0, 4), ['--environment', 'x']]) {
    assert.equal((await refusal(...given)).code, 2);
  }
});
