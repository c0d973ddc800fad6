import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listText } from '@bulkhead/authority';
import { CustodyError, type FaultCode, faultCodes } from '@bulkhead/domain';
import type { SignerOrder as LaunchOrder } from '@bulkhead/signer/launch';
import { type Pinned, SignerClient } from '@bulkhead/signer-client';
import { z } from 'zod';
import type { Configuration } from '../config.ts';
import type { Tell } from '../part.ts';
import { privateText } from '../private-file.ts';
import type { ReachedSigner } from '../reached-signer.ts';
import { firstList } from './first-list.ts';
import { identityLabel, type SetUpOrder, slots } from './set-up-order.ts';
import { supervise } from './supervision.ts';

/** Library of SoftHSM where Debian puts it: a hardware module in software, for development and tests. */
const softhsmLibrary = '/usr/lib/softhsm/libsofthsm2.so';
/** Longest path of a unix socket that every system takes. */
const socketPathCharsMax = 100;
/** A first start makes tokens and seals a seed; it takes a second or two. */
const setUpMsMax = 60_000;

const program = fileURLToPath(new URL('set-up.ts', import.meta.url));

type SignerFile = LaunchOrder['configuration'];

/** What was decided at the first start, written when everything else was there. */
const madeForm = z.strictObject({
  deployment: z.string().regex(/^[0-9a-f]{32}$/u),
  identities: z.array(z.string().regex(/^[0-9a-f]{64}$/u)).min(1),
  keys: z.enum(['softhsm', 'software']),
});

type Made = z.output<typeof madeForm>;

const setUpAnswer = z.union([
  z.strictObject({ identities: z.array(z.string()) }),
  z.strictObject({ failed: z.strictObject({ code: z.string(), message: z.string() }) }),
]);

export type DevelopmentOrder = {
  readonly directory: string;
  readonly parts: AsyncDisposableStack;
  readonly tell: Tell;
};

/**
 * The signer of an installation for development: made at the first start, and run as a process of its own for as long as the
 * server runs. If it dies it is started again; what it was doing is asked again by the jobs.
 *
 * @throws CustodyError what the set-up and the start of the signer say
 */
export async function startDevelopmentSigner(
  configuration: Configuration,
  { directory, parts, tell }: DevelopmentOrder,
): Promise<ReachedSigner> {
  const made = madeIn(directory) ?? (await setUp(configuration, directory));
  const file = signerFile(directory, { keys: made.keys, socket: socketIn(directory, parts) });
  const supervised = parts.use(await supervise({ directory, configuration: file }, tell));
  const endpoint = supervised.endpoint();
  const signer = parts.use(new SignerClient({ endpoint }));
  const pinned: Pinned = { identities: made.identities, deployment: made.deployment };
  const { registryVersion } = await signer.status();
  const seed = made.keys === 'softhsm' ? 'SoftHSM sealed seed (two slots)' : softwareWarning;
  tell({
    part: 'signer',
    what: `Signer, for development: separate process ${supervised.pid()}, ${seed}, registry version ${registryVersion}`,
    where: `${endpoint}, identity ${made.identities.join(', ')}`,
  });
  return { signer, pinned, endpoint, pid: supervised.pid };
}

const softwareWarning =
  'WARNING: keys in SOFTWARE, because SoftHSM is not installed (Debian: apt-get install softhsm2, then --fresh)';

function madeIn(directory: string): Made | undefined {
  const path = join(directory, 'development.json');
  const content = existsSync(path) ? madeForm.safeParse(parsedJson(readFileSync(path, 'utf8'))) : undefined;
  if (content?.success === true) return content.data;
  // A set-up that was interrupted is thrown away; nothing else is, because there could be keys in it.
  const unused = !existsSync(directory) || readdirSync(directory).length === 0;
  if (content === undefined && (unused || existsSync(join(directory, unfinishedName)))) return undefined;
  throw new CustodyError(
    'platform/damaged-state',
    `${path} does not say which signer this is. Restore it, or begin anew with --fresh.`,
  );
}

/** Lies in the folder from the first step of a set-up to its last. */
const unfinishedName = 'unfinished';

/**
 * Makes tokens, seed, identity and the first record, in a process of its own: no key is ever in this one. A crash on the way
 * leaves the mark of its beginning. Nobody has seen an address of such a folder, so it is thrown away and made again.
 */
async function setUp(configuration: Configuration, directory: string): Promise<Made> {
  const { signer } = configuration;
  if (signer.kind !== 'development') {
    throw new CustodyError('invariant/broken', 'The signer of somebody else is set up.');
  }
  // The keys of the people name the installation that they are for, so those of another one go with it.
  for (const old of [directory, signer.peopleDirectory]) rmSync(old, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, unfinishedName), '');
  const keys = existsSync(softhsmLibrary) ? 'softhsm' : 'software';
  const deployment = randomBytes(16).toString('hex');
  const order: SetUpOrder = {
    directory,
    deployment,
    list: listText(firstList(configuration)),
    peopleDirectory: signer.peopleDirectory,
    softhsm: keys === 'softhsm' ? softhsmLibrary : null,
    configuration: signerFile(directory, { keys, socket: '/nowhere' }),
  };
  const identities = await runSetUp(order);
  const made: Made = { deployment, identities, keys };
  // Commit point: from here on the folder is this installation's signer.
  privateText(join(directory, 'development.json'), () => `${JSON.stringify(made, null, 2)}\n`);
  rmSync(join(directory, unfinishedName));
  return made;
}

async function runSetUp(order: SetUpOrder): Promise<string[]> {
  const child = spawn(process.execPath, [program], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' },
    timeout: setUpMsMax,
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdin.on('error', () => undefined).end(JSON.stringify(order));
  await new Promise<void>((resolve, reject) => child.once('close', () => resolve()).once('error', reject));
  const answer = setUpAnswer.safeParse(parsedJson(out)).data;
  if (answer !== undefined && 'identities' in answer) return answer.identities;
  const { code, message } = answer?.failed ?? { code: 'signer/not-ready', message: `It said: ${err.slice(-500)}` };
  throw new CustodyError(codeOf(code), `The signer for development cannot be set up. ${message}`);
}

function codeOf(text: string): FaultCode {
  return faultCodes.find((code) => code === text) ?? 'signer/not-ready';
}

/** Configuration of the signer process, as `apps/signer` reads it. */
export function signerFile(
  directory: string,
  { keys, socket }: { readonly keys: Made['keys']; readonly socket: string },
): SignerFile {
  const common = {
    format: 'bulkhead-signer-configuration-v1',
    development: true,
    state: join(directory, 'state'),
    socket: { path: socket, mode: '0600' },
  } as const;
  if (keys === 'software') {
    return {
      ...common,
      tree: {
        driver: 'software',
        file: join(directory, 'keys', 'keys.json'),
        passphraseFile: join(directory, 'keys', 'passphrase'),
      },
      identities: [{ driver: 'software' }],
    };
  }
  return {
    ...common,
    tokens: slots.map((name) => ({
      name,
      library: join(directory, 'hsm', name, 'libsofthsm2.so'),
      label: name,
      pinFile: join(directory, 'hsm', name, 'pin'),
      environment: { SOFTHSM2_CONF: join(directory, 'hsm', name, 'softhsm2.conf') },
    })),
    tree: { driver: 'pkcs11-sealed-seed', envelope: join(directory, 'keys', 'seed.json'), tokens: [...slots] },
    identities: slots.map((token) => ({ driver: 'pkcs11', token, label: identityLabel })),
  };
}

/** Beside the state, or in a folder for temporary things where that path is too long for a socket. */
function socketIn(directory: string, parts: AsyncDisposableStack): string {
  const beside = join(directory, 'run', 'signer.sock');
  if (beside.length <= socketPathCharsMax) return beside;
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-'));
  parts.defer(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'signer.sock');
}

function parsedJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
