import { writeSync } from 'node:fs';
import { type Approval, isMovement, parseCompartment, parseIntent, type SignRequest } from '@bulkhead/domain';
import { type HeadStore, openHeadFile } from '@bulkhead/keys';
import { nativeHashes } from '../../process/native-hashes.ts';
import { openSignerCore } from '../signer-core.ts';
import { openStateFile } from '../state-file.ts';
import { type TestDriver, testDriver, testIdentity } from './keys.ts';

/** What a process that will be killed is told. */
export type Doom = {
  readonly directory: string;
  readonly headFiles: readonly string[];
  /** Before which call to disk, slot or key, or before which answer, it dies; counted from 0 once it is ready. */
  readonly step: number;
  readonly seconds: string;
  readonly requests: readonly WrittenRequest[];
};

export type WrittenRequest = {
  readonly intent: string;
  readonly request: Approval;
  readonly approvals: readonly Approval[];
  readonly compartment: number;
  readonly unsigned: string;
};

let armed = false;
let step = 0;

/** A place between two steps of a commit. The process dies there as by a loss of power: no handler runs. */
function place(doom: Doom): void {
  if (!armed) return;
  if (step === doom.step) process.kill(process.pid, 'SIGKILL');
  step += 1;
}

/** Wraps every method of a port, so that the process can die before each call: after the one before it. */
function mortal<T extends object>(doom: Doom, port: T): T {
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return async (...given: readonly unknown[]): Promise<unknown> => {
        place(doom);
        return Reflect.apply(value, target, given);
      };
    },
  });
}

export function readRequest(written: WrittenRequest): SignRequest {
  const intent = parseIntent(Buffer.from(written.intent, 'latin1'));
  if (!isMovement(intent)) throw new Error('A movement was expected.');
  const { request, approvals } = written;
  const key = { compartment: parseCompartment(written.compartment), index: 0 };
  return { intent, evidence: { request, approvals }, key, unsigned: Buffer.from(written.unsigned, 'hex') };
}

/**
 * Signs what it is told and says each signature that was released, until it dies. The last request comes when the others count, and their
 * signatures are made when the slots take its head: so a slot and the disk are at work at the same time.
 */
async function live(doom: Doom): Promise<void> {
  const counted = Promise.withResolvers<void>();
  const overlapped = Promise.withResolvers<void>();
  const driver = testDriver();
  const late: TestDriver = {
    ...driver,
    async sign(key, digest) {
      counted.resolve();
      await overlapped.promise;
      return driver.sign(key, digest);
    },
  };
  let written = 0;
  const watched = (store: HeadStore): HeadStore => ({
    ...store,
    async write(head) {
      if (armed) written += 1;
      if (written > doom.headFiles.length) overlapped.resolve();
      await store.write(head);
    },
  });
  const core = await openSignerCore({
    stateDirectory: doom.directory,
    drivers: { tree: mortal(doom, late) },
    identities: [mortal(doom, testIdentity())],
    heads: doom.headFiles.map((path) => mortal(doom, watched(openHeadFile(path)))),
    hashes: nativeHashes(),
    clock: { now: () => new Date(Number(doom.seconds) * 1_000) },
    openFile: async (directory) => mortal(doom, await openStateFile(directory)),
  });
  armed = true;
  await Promise.all(
    doom.requests.map(async (asked, index) => {
      if (index + 1 === doom.requests.length) await counted.promise;
      const { signature } = await core.sign(readRequest(asked));
      place(doom);
      // Written at once and not through a stream: what was said before the end counts.
      writeSync(1, `${asked.unsigned} ${signature.r}\n`);
    }),
  );
  writeSync(1, `steps ${step}\n`);
}

if (import.meta.main) await live(JSON.parse(process.argv[2] ?? '{}'));
