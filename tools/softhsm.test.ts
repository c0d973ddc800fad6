import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ensure, type Machine, parts } from './softhsm.ts';

function machine(given: {
  readonly programs: readonly string[];
  readonly root: boolean;
  readonly brings?: readonly string[];
}): Machine & { readonly installed: string[] } {
  const programs = new Set(given.programs);
  const installed: string[] = [];
  return {
    installed,
    root: given.root,
    hasProgram: (name) => programs.has(name),
    hasFile: () => programs.has('softhsm2-util'),
    install(packages) {
      installed.push(...packages);
      for (const name of given.brings ?? []) programs.add(name);
      return given.brings !== undefined;
    },
  };
}

const keys = ['packages/keys/src/pkcs11/fault.test.ts'];

test('what is there is left alone', () => {
  const here = machine({ programs: ['softhsm2-util', 'pkcs11-tool', 'cc', 'chromium', 'apt-get'], root: true });
  assert.equal(ensure([...keys, 'apps/approve/src/a.test.ts'], here), undefined);
  assert.deepEqual(here.installed, []);
});

test('only what the chosen files need is asked for', () => {
  const here = machine({ programs: [], root: false });
  assert.equal(ensure(['packages/ledger/src/a.test.ts'], here), undefined);
  assert.match(ensure(['apps/approve/src/a.test.ts'], here) ?? '', /need Chromium, which/u);
});

test('root gets it installed', () => {
  const here = machine({ programs: ['apt-get', 'cc', 'pkcs11-tool'], root: true, brings: ['softhsm2-util'] });
  assert.equal(ensure(keys, here), undefined);
  assert.deepEqual(here.installed, ['softhsm2']);
});

test('who may not install is told what to type, in one sentence with all of it', () => {
  const here = machine({ programs: ['apt-get'], root: false });
  const said = ensure([...keys, 'apps/approve/src/a.test.ts'], here);
  assert.match(said ?? '', /SoftHSM 2, OpenSC, Chromium, and a C compiler/u);
  assert.match(said ?? '', /Type: sudo apt-get install -y softhsm2 opensc chromium gcc libc6-dev$/u);
  assert.deepEqual(here.installed, []);
});

test('an installation that did not help is said too', () => {
  assert.match(ensure(keys, machine({ programs: ['apt-get'], root: true })) ?? '', /Type: apt-get install/u);
  const half = machine({ programs: ['apt-get', 'pkcs11-tool'], root: true, brings: ['softhsm2-util'] });
  assert.match(ensure(keys, half) ?? '', /need a C compiler, which/u);
  assert.match(ensure(keys, machine({ programs: [], root: true })) ?? '', /package manager of the system/u);
});

test('every part names its packages', () => {
  assert.ok(parts.every((part) => part.packages.length > 0));
});
