#!/usr/bin/env node
import { main } from '../src/index.ts';

process.exitCode = await main({
  words: process.argv.slice(2),
  folder: process.cwd(),
  environment: process.env,
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
});
