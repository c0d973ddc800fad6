import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/**
 * The text files of the repository: path from the root, with forward slashes, to content. The checks
 * take this instead of reading the disk, so that a test can hand them a repository of three lines.
 */
export type Tree = ReadonlyMap<string, string>;

/** Something a check objects to. */
export type Finding = {
  readonly path: string;
  /** Counted from 1. */
  readonly line?: number;
  readonly message: string;
};

/** The repository this file is in. */
export const root: string = dirname(import.meta.dirname);

const textFile =
  /(?:\.(?:ts|json|jsonc|md|sql|sol|sh|yml|yaml|txt|html|css)|\/run|\/LICENSE|\.editorconfig|\.gitignore|\.npmrc)$/u;
const skippedFolders = new Set(['node_modules', '.git', '.bulkhead', 'coverage', 'artifacts']);
const fileBytesMax = 4_000_000;

/** Reads every text file below `folder`, without dependencies, data and build output. */
export function readTree(folder: string = root): Tree {
  const tree = new Map<string, string>();
  const waiting = [folder];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) {
        if (!skippedFolders.has(entry.name)) waiting.push(path);
      } else if (entry.isFile() && textFile.test(path)) {
        const text = readFileSync(path, 'utf8');
        if (text.length <= fileBytesMax) tree.set(relative(folder, path).replaceAll('\\', '/'), text);
      }
    }
  }
  return new Map([...tree].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Code that only tests run: it may know more packages, and is not held to the length of functions. */
export function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || /(?:^|\/)(?:test|tests|testing|fixtures)\//u.test(path);
}

export function isSource(path: string): boolean {
  return path.endsWith('.ts') && !path.endsWith('.d.ts');
}

/** The line of the character at `offset`, counted from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) {
    line += 1;
  }
  return line;
}

/** Lines as a person counts them: the newline at the end of the file begins no further one. */
export function countLines(text: string): number {
  return text === '' ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}
