/** A process that opens keys, signs, closes them and looks for what is left. Answers on its standard output. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseCompartment } from '@bulkhead/domain';
import type { KeyDriver } from '../src/driver.ts';
import { openToken, type Token } from '../src/pkcs11/token.ts';
import { openSealedSeed } from '../src/sealed-seed-driver.ts';
import { openSoftwareKeys } from '../src/software-driver.ts';
import { type Needle, scanMemory } from './memory-scan.ts';

export type TokenPlace = {
  readonly library: string;
  readonly label: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly pinText: string;
};

export type Task = {
  readonly needles: readonly Needle[];
  readonly compartment: number;
  readonly keys:
    | { readonly kind: 'software'; readonly path: string; readonly passphrase: string }
    | { readonly kind: 'sealed'; readonly path: string; readonly tokens: readonly [TokenPlace, TokenPlace] }
    /** Keeps what it must not keep, to show that the scan finds it. */
    | { readonly kind: 'careless'; readonly masked: string; readonly mask: number };
};

export type Answer = {
  readonly lockedBeforeKb: number;
  readonly lockedLiveKb: number;
  readonly scans: Readonly<Record<'before' | 'live' | 'wiped', ReturnType<typeof scanMemory>>>;
};

type Opened = { readonly driver?: KeyDriver; close(): Promise<void> };

const task: Task = JSON.parse(readFileSync(0, 'utf8'));
const lockedBeforeKb = lockedKb();
const before = scanMemory(task.needles, 'self');
const opened = await open(task.keys);
if (opened.driver !== undefined) await work(opened.driver);
const lockedLiveKb = lockedKb();
const live = scanMemory(task.needles, 'self');
await opened.close();
const wiped = scanMemory(task.needles, 'self');
const answer: Answer = { lockedBeforeKb, lockedLiveKb, scans: { before, live, wiped } };
process.stdout.write(JSON.stringify(answer));

async function open(keys: Task['keys']): Promise<Opened> {
  switch (keys.kind) {
    case 'software': {
      const software = await openSoftwareKeys({ path: keys.path, passphrase: Buffer.from(keys.passphrase) });
      return {
        driver: software.driver,
        close: async () => {
          await software[Symbol.asyncDispose]();
        },
      };
    }
    case 'sealed': {
      const [first, second] = await Promise.all(keys.tokens.map((place) => tokenAt(place)));
      if (first === undefined || second === undefined) throw new Error('two tokens are needed');
      const tokens = { hsm_slot_1: async () => first, hsm_slot_2: async () => second };
      // Wiped for being idle once, so that the second unsealing is scanned too.
      const driver = await openSealedSeed({ path: keys.path, tokens, idleMs: 200 });
      await work(driver);
      while (driver.isOpen()) await sleep(50);
      return {
        driver,
        close: async () => {
          await driver[Symbol.asyncDispose]();
          await first[Symbol.asyncDispose]();
          await second[Symbol.asyncDispose]();
        },
      };
    }
    case 'careless': {
      const kept = Buffer.from(Buffer.from(keys.masked, 'hex').map((byte) => byte ^ keys.mask));
      const text = kept.toString('hex');
      // Used after the scan of what lives, so that neither goes away before it.
      return {
        close: async () => {
          Buffer.from(text, 'hex').compare(kept);
        },
      };
    }
  }
}

function tokenAt(place: TokenPlace): Promise<Token> {
  const { library, label, environment, pinText } = place;
  return openToken({ library, label, environment, pin: () => Buffer.from(pinText) });
}

async function work(keys: KeyDriver): Promise<void> {
  const compartment = parseCompartment(task.compartment);
  await keys.accountXpub?.(compartment);
  for (let count = 0; count < 50; count++) {
    const digest = createHash('sha256').update(`${count}`).digest();
    await keys.publicKey({ compartment, index: 0 });
    await keys.sign({ compartment, index: 0 }, digest);
  }
}

function lockedKb(): number {
  return Number(/VmLck:\s+(\d+) kB/u.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}
