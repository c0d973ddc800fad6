import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

/** The emitted program's name. With this ending Node takes it for a module wherever it lies. */
export const signerFileName = 'signer.mjs';

/** Packages that are binaries, or that are loaded only where they are configured. They stay packages. */
export const outsidePackages: readonly string[] = [
  '@aws-sdk/client-kms',
  'keccak',
  'koffi',
  'secp256k1',
  'sodium-native',
];

const repository = resolve(import.meta.dirname, '../../../..');
const entrance = 'apps/signer/src/process/main.ts';

export type BuiltSigner = { readonly file: string; readonly sha256: string };

/**
 * Writes the signer as one file of JavaScript: the signer runs without WebAssembly, which Node needs to leave out types. The same
 * sources and the same packages give the same bytes in any folder.
 *
 * A file that has these bytes already is left alone. Another is replaced whole, so that nobody starts half of one.
 */
export async function buildSigner(outDirectory: string): Promise<BuiltSigner> {
  return buildFrom({ root: repository, outDirectory });
}

/** The same from another copy of the repository. */
export async function buildFrom(from: { readonly root: string; readonly outDirectory: string }): Promise<BuiltSigner> {
  const bytes = await emit(from.root);
  const sha256 = digestOf(bytes);
  const file = join(resolve(from.outDirectory), signerFileName);
  if ((await digestOfFile(file)) !== sha256) {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const fresh = `${file}.${process.pid}`;
    await writeFile(fresh, bytes, { mode: 0o644 });
    await rename(fresh, file);
  }
  return { file, sha256 };
}

async function emit(root: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entrance],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Read by people who compare releases: names and legal comments stay.
    minify: false,
    legalComments: 'inline',
    charset: 'utf8',
    sourcemap: false,
    logLevel: 'silent',
    // Nothing of the machine that builds: no tsconfig of the folder above, no define from its environment.
    tsconfigRaw: '{}',
    banner: { js: banner },
    plugins: [outside],
  });
  const [output] = outputFiles;
  if (output === undefined || outputFiles.length !== 1) {
    throw new Error(`${outputFiles.length} files were built, not one.`);
  }
  return output.contents;
}

/**
 * Packages that stay packages are looked for from the folder named by `--modules=`, wherever the file itself lies; without it, from
 * the file's own folder upwards.
 */
const banner = `import { createRequire as createOutsideRequire } from 'node:module';
const require = createOutsideRequire(
  process.argv.find((argument) => argument.startsWith('--modules='))?.slice('--modules='.length).concat('/x') ?? import.meta.url,
);`;

const outsideNames = new RegExp(`^(?:${outsidePackages.join('|')})(?:/.*)?$`);

const outside: Plugin = {
  name: 'outside',
  setup(build_) {
    build_.onResolve({ filter: outsideNames }, (found) =>
      found.namespace === 'outside' ? { external: true } : { path: found.path, namespace: 'outside' },
    );
    build_.onLoad({ filter: outsideNames, namespace: 'outside' }, (found) => ({
      contents: `module.exports = require(${JSON.stringify(found.path)});`,
      loader: 'js',
    }));
  },
};

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function digestOfFile(file: string): Promise<string | undefined> {
  try {
    return digestOf(await readFile(file));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
