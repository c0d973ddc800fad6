#!/usr/bin/env node
// Runs on whatever node there is outside. The program itself is TypeScript and needs Node 24, which comes with the packages.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const nodeMajorMin = 24;

if (Number(process.versions.node.split('.')[0]) >= nodeMajorMin) {
  await import('./bulkhead.ts');
} else {
  const program = fileURLToPath(new URL('./bulkhead.ts', import.meta.url));
  let node;
  try {
    node = createRequire(import.meta.url).resolve('node/bin/node');
  } catch {
    process.stderr.write(
      `bulkhead: it needs Node ${nodeMajorMin}, this is ${process.version}, and the package "node" that brings it is not installed. Run "npm ci".\n`,
    );
    process.exit(3);
  }
  const child = spawn(node, [program, ...process.argv.slice(2)], { stdio: 'inherit' });
  // The terminal tells both of Ctrl-C, and the child decides what it means. Other signals reach only us.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGHUP', () => child.kill('SIGHUP'));
  child.on('error', (error) => {
    process.stderr.write(`bulkhead: ${node} does not start (${error.message}). Run "npm ci" again.\n`);
    process.exitCode = 3;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === null ? 1 : 128);
  });
}
