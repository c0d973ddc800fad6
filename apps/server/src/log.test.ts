import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { logHeldCharsMax } from './log.ts';

const program = `
import { openLog } from '${fileURLToPath(new URL('log.ts', import.meta.url))}';
const log = openLog('info', '/dev/full');
const line = 'x'.repeat(1000);
for (let n = 0; n < ${(logHeldCharsMax / 1000) * 3}; n += 1) log.info(line);
await new Promise((resolve) => setTimeout(resolve, 20));
log.info('still here');
console.log('ended by itself');
`;

test('a disk that is full ends no server: it is told once, and what waits for it has a limit', () => {
  const said = spawnSync(process.execPath, ['--max-old-space-size=64', '--input-type=module', '--eval', program], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.deepEqual([said.status, said.stdout], [0, 'ended by itself\n'], said.stderr);
  assert.match(
    said.stderr,
    /^WARNING: the log \/dev\/full cannot be written \(ENOSPC: [^\n]*\)\. The server goes on without it\.\n$/u,
  );
});
