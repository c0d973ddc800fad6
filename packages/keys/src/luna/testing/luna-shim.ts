import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { TemporaryToken } from '../../pkcs11/testing/softhsm.ts';

/** What the shim makes of SoftHSM besides: a token with few sessions, or one that answers late. */
export type ShimLimits = { readonly sessionsMax?: number; readonly hangSeconds?: number };

/** Builds the shim in front of a temporary token and answers its path. */
export function buildLunaShim(hsm: TemporaryToken, limits: ShimLimits = {}): string {
  const compiler = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (compiler === undefined) {
    throw new Error('The test of the Luna driver needs a C compiler: apt-get install gcc libc6-dev.');
  }
  const library = join(hsm.folder, `luna-shim-${process.hrtime.bigint()}.so`);
  const definitions = [
    `-DREAL_LIBRARY="${hsm.library}"`,
    ...(limits.sessionsMax === undefined ? [] : [`-DSESSIONS_MAX=${limits.sessionsMax}`]),
    ...(limits.hangSeconds === undefined ? [] : [`-DHANG_SECONDS=${limits.hangSeconds}`]),
  ];
  const source = join(import.meta.dirname, 'luna-shim.c');
  const flags = ['-std=gnu11', '-O1', '-w', '-shared', '-fPIC', ...definitions];
  execFileSync(compiler, [...flags, '-o', library, source, '-ldl', '-l:libcrypto.so.3'], { stdio: 'pipe' });
  return library;
}
