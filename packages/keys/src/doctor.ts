import { createPublicKey, randomBytes, randomInt, verify } from 'node:crypto';
import { CustodyError, compartmentMax, type KeyLabel, type KeyRef, parseCompartment } from '@bulkhead/domain';
import { addressIndexMax } from './address-index.ts';
import type { KeyDriver } from './driver.ts';
import { type DoctorRow, latencyRow, row, type Steps, walk } from './doctor-row.ts';
import { assertResident } from './pkcs11/key-template.ts';
import type { TokenDescription } from './pkcs11/mechanism.ts';
import { type Token, tokenSessionsMax } from './pkcs11/token.ts';
import { checkedSignature } from './signature.ts';

/** Signatures that the latency is measured over. */
export const doctorSignatures: number = 100;

/**
 * Compartments from here on are no client's: installations count theirs from 0, so a key at a random index of a random one of these is
 * a throw-away key, of which nobody ever knew the address.
 */
export const throwAwayCompartmentMin: number = 2 ** 30;

/**
 * A token; a driver with a tree of keys; or a driver without one and a key that its owner calls one for tests. `typed` asks the owner for
 * the label of that key, so that nobody names a wallet by habit.
 */
export type DoctorSubject =
  | { readonly token: Token }
  | { readonly tree: KeyDriver }
  | { readonly driver: KeyDriver; readonly testKey: KeyLabel; readonly typed: () => Promise<string> };

/**
 * Examines a module for its owner, and signs nothing with a key of a wallet. With a token it makes throw-away keys and destroys them
 * again, whatever happens; of a tree it takes a key that nobody has used; any other key only when its label was typed. What fails is a
 * bad row.
 */
export async function examine(subject: DoctorSubject): Promise<readonly DoctorRow[]> {
  if ('token' in subject) return await examineToken(subject.token);
  if ('tree' in subject) return await examineDriver(subject.tree, throwAwayKey());
  const { driver, testKey, typed } = subject;
  if ((await typed()) === testKey.label) return await examineDriver(driver, testKey);
  const detail = `not examined: what was typed is not the label of the key for tests, "${testKey.label}". Nothing was signed`;
  return [row('key for tests', 'unknown', detail)];
}

function throwAwayKey(): KeyRef {
  return {
    compartment: parseCompartment(randomInt(throwAwayCompartmentMin, compartmentMax + 1)),
    index: randomInt(addressIndexMax + 1),
  };
}

function named(key: KeyRef): string {
  return 'index' in key
    ? `throw-away, m/44'/60'/${key.compartment}'/0/${key.index}`
    : `for tests, "${key.label}" of compartment ${key.compartment}`;
}

async function examineDriver(driver: KeyDriver, key: KeyRef): Promise<readonly DoctorRow[]> {
  let publicKey: Uint8Array = new Uint8Array();
  return await walk({
    slots: async () =>
      (await driver.health()).map((slot) => row(`slot ${slot.name}`, slot.healthy ? 'good' : 'bad', slot.detail)),
    'public key': async () => {
      publicKey = await driver.publicKey(key);
      return [row('public key', publicKey.length === 65 ? 'good' : 'bad', `${named(key)}: ${publicKey.length} bytes`)];
    },
    // The driver puts `s` into the lower half itself and recovers each signature; what it gives out is checked here again.
    signatures: async () => {
      const times = await timed(async () => {
        const digest = randomBytes(32);
        const { r, s } = await driver.sign(key, digest);
        const compact = Buffer.from(r.toString(16).padStart(64, '0') + s.toString(16).padStart(64, '0'), 'hex');
        const { s: low } = checkedSignature({ compact, digest, publicKey });
        if (low !== s) throw new CustodyError('hsm/signature-invalid', 'The driver gave a signature with a high s.');
      });
      return [row('low s, recovery', 'good', `${times.length} signatures`), latencyRow('signature', times)];
    },
    residency: async () => [
      row('residency', 'unknown', `the driver says ${driver.residency}; only the owner of the module can look inside`),
    ],
  });
}

async function examineToken(token: Token): Promise<readonly DoctorRow[]> {
  const name = `bulkhead/doctor/${randomBytes(8).toString('hex')}`;
  const made: string[] = [];
  /** Noted before the key is made: a key whose making was reported as failed may be there all the same. */
  const label = (what: string): string => {
    made.push(`${name}/${what}`);
    return `${name}/${what}`;
  };
  const rows = await walk({
    module: async () => describe(await token.describe()),
    ...ecdsaSteps(token, label('secp256k1')),
    ...eddsaSteps(token, label('ed25519')),
    ...sealingSteps(token, label('sealing')),
    ...dataSteps(token, label('data')),
    sessions: () => sessions(token),
  });
  return [...rows, ...(await walk({ 'clean-up': () => cleanUp(token, made) }))];
}

const needed = ['EC_KEY_PAIR_GEN', 'ECDSA', 'EC_EDWARDS_KEY_PAIR_GEN', 'EDDSA', 'AES_KEY_GEN', 'AES_GCM'];

function describe(about: TokenDescription): readonly DoctorRow[] {
  const has = new Map(about.mechanisms.map((mechanism) => [mechanism.name, mechanism]));
  const names = about.mechanisms.map((mechanism) => mechanism.name);
  const hardware = has.get('CKM_ECDSA')?.hardware === true;
  const bip32 = has.has('CKM_BIP32_CHILD_DERIVE');
  return [
    row('module', 'good', `${about.manufacturer} ${about.model}, serial ${about.serial}, firmware ${about.firmware}`),
    row('PIN', about.pin === 'good' ? 'good' : 'bad', about.pin),
    row('mechanisms', names.length > 0 ? 'good' : 'bad', `${names.length}: ${names.join(', ')}`),
    ...needed.map((mechanism) => {
      const found = has.get(`CKM_${mechanism}`);
      const sizes = found === undefined ? 'missing' : `keys of ${found.keySizeMin} to ${found.keySizeMax}`;
      return row(`CKM_${mechanism}`, found === undefined ? 'bad' : 'good', sizes);
    }),
    row(
      'CKM_BIP32_CHILD_DERIVE',
      'unknown',
      bip32 ? 'there: luna-bip32 may be tried' : 'not there; only luna-bip32 needs it',
    ),
    row(
      'hardware',
      hardware ? 'good' : 'unknown',
      hardware ? 'by its own word' : 'the module does not say that it computes in hardware',
    ),
    row('backup', 'unknown', 'how keys of this module are backed up, only its owner can say and try'),
  ];
}

function ecdsaSteps(token: Token, label: string): Steps {
  let publicKey: Uint8Array = new Uint8Array();
  return {
    'secp256k1 key': async () => {
      publicKey = await token.generateSecp256k1(label);
      return [row('secp256k1 key', 'good', 'made in the token')];
    },
    attributes: async () => {
      const attributes = await token.attributes(label);
      assertResident(attributes, label);
      return [
        row(
          'attributes',
          'good',
          Object.entries(attributes)
            .map(([name, is]) => `${name}: ${is}`)
            .join(', '),
        ),
      ];
    },
    'key stays inside': () => staysInside(token, label),
    signatures: async () => {
      let high = 0;
      const times = await timed(async () => {
        const digest = randomBytes(32);
        const compact = await token.signEcdsa(label, digest);
        const { s } = checkedSignature({ compact, digest, publicKey });
        if (s !== BigInt(`0x${Buffer.from(compact.subarray(32)).toString('hex')}`)) high += 1;
      });
      return [
        row('low s, recovery', 'good', `${times.length} signatures; ${high} came with a high s and were put right`),
        latencyRow('ECDSA', times),
      ];
    },
  };
}

async function staysInside(token: Token, label: string): Promise<readonly DoctorRow[]> {
  const revealed = await token.revealsValue(label);
  const text = revealed ? 'THE MODULE GIVES OUT CKA_VALUE OF A KEY THAT IT CALLS SENSITIVE' : 'CKA_VALUE is refused';
  return [row('key stays inside', revealed ? 'bad' : 'good', text)];
}

function eddsaSteps(token: Token, label: string): Steps {
  return {
    'Ed25519 key': async () => {
      const raw = Buffer.from(await token.generateEd25519(label));
      const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]);
      const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
      const message = randomBytes(200);
      const good = verify(null, message, key, await token.signEddsa(label, message));
      return [
        row('Ed25519 key', good ? 'good' : 'bad', good ? 'signs, OpenSSL verifies' : 'its signature does not verify'),
      ];
    },
  };
}

function sealingSteps(token: Token, label: string): Steps {
  const aad = Buffer.from(label);
  return {
    'sealing key': async () => {
      await token.generateSealingKey(label);
      const plaintext = randomBytes(64);
      const sealed = await token.seal(label, { plaintext, aad });
      const into = Buffer.alloc(64);
      await token.unseal(label, { ...sealed, aad, into });
      const good = into.equals(plaintext);
      return [
        row('sealing key', good ? 'good' : 'bad', good ? 'seals and opens' : 'what it opens is not what it sealed'),
        await tampering(() => token.unseal(label, { ...sealed, aad: Buffer.from('another'), into })),
        ...(await staysInside(token, label)),
      ];
    },
  };
}

async function tampering(open: () => Promise<void>): Promise<DoctorRow> {
  try {
    await open();
  } catch (error) {
    const refused = error instanceof CustodyError && error.code === 'hsm/tampered-envelope';
    return row('tampered envelope', refused ? 'good' : 'bad', refused ? 'refused' : String(error));
  }
  return row('tampered envelope', 'bad', 'opened although it is bound to something else');
}

function dataSteps(token: Token, label: string): Steps {
  return {
    'data object': async () => {
      let count = 0;
      const times = await timed(async () => {
        count += 1;
        const bytes = Buffer.from(String(count).padStart(128, '0'));
        await token.writeData(label, bytes);
        if (bytes.equals((await token.readData(label)) ?? Buffer.alloc(0))) return;
        throw new CustodyError('hsm/refused', 'A data object does not hold what was written.');
      });
      return [row('data object', 'good', 'holds what is written'), latencyRow('head of the log', times)];
    },
  };
}

async function sessions(token: Token): Promise<readonly DoctorRow[]> {
  await Promise.all(Array.from({ length: 4 * tokenSessionsMax }, () => token.random(32)));
  const { sessionsMax, sessionsOpen } = await token.describe();
  const limit =
    sessionsMax === undefined
      ? 'does not tell its limit'
      : sessionsMax === 0n
        ? 'has no limit'
        : `allows ${sessionsMax}`;
  const tight = sessionsMax !== undefined && sessionsMax !== 0n && sessionsMax <= BigInt(tokenSessionsMax);
  return [
    row(
      'sessions',
      tight ? 'bad' : 'good',
      `${sessionsOpen} and one for the login were open at once; the module ${limit}`,
    ),
  ];
}

async function cleanUp(token: Token, labels: readonly string[]): Promise<readonly DoctorRow[]> {
  const left: string[] = [];
  for (const label of labels) {
    try {
      await token.destroy(label);
    } catch (error) {
      const absent = error instanceof CustodyError && error.code === 'hsm/key-missing';
      if (!absent) left.push(`${label} (${String(error)})`);
    }
  }
  if (left.length === 0) return [row('clean-up', 'good', 'the throw-away keys are destroyed')];
  return [row('clean-up', 'bad', `still in the token: ${left.join(', ')}`)];
}

async function timed(work: () => Promise<void>): Promise<readonly number[]> {
  const times: number[] = [];
  for (let count = 0; count < doctorSignatures; count += 1) {
    const startedAt = performance.now();
    await work();
    times.push(performance.now() - startedAt);
  }
  return times;
}
