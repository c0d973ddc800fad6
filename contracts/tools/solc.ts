#!/usr/bin/env node
// What forge takes for a compiler: as much of solc's command line as it uses, answered by solc's WebAssembly build.
import { readFileSync, writeSync } from 'node:fs';
import solc from 'solc';
import { evmVersion } from '../src/compile.ts';

const version: unknown = solc.version;
const compile: unknown = solc.compile;

function main(args: readonly string[]): void {
  if (args.includes('--version')) {
    print(`solc, the solidity compiler commandline interface\nVersion: ${call(version, [])}\n`);
  } else if (args.includes('--standard-json')) {
    print(call(compile, [ourSettings(readFileSync(0, 'utf8')), { import: refuseImport }]));
  } else {
    process.stderr.write('Only --version and --standard-json are answered here.\n');
    process.exitCode = 2;
  }
}

function call(operation: unknown, values: readonly unknown[]): string {
  if (typeof operation !== 'function') throw new Error('The package solc is not what it was. Run "npm ci".');
  return String(Reflect.apply(operation, solc, [...values]));
}

/**
 * Forge has one setting for the EVM that the tests run on and for the code that is compiled; here the code is always that
 * of artifacts/, whichever EVM runs it.
 */
function ourSettings(input: string): string {
  return JSON.stringify(JSON.parse(input), (key: string, value: unknown) =>
    key === 'evmVersion' ? evmVersion : value,
  );
}

/** Forge hands over every source it found; another one would be from outside of what it resolved. */
function refuseImport(path: string): { readonly error: string } {
  return { error: `${path} is not among the sources that forge gave.` };
}

/** A pipe takes what fits and says so: the rest is offered again. */
function print(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
}

main(process.argv.slice(2));
