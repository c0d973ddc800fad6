import type { Finding, Tree } from './tree.ts';
import { readTree } from './tree.ts';

export function formatFinding(finding: Finding): string {
  const place = finding.line === undefined ? finding.path : `${finding.path}:${finding.line}`;
  return `${place}: ${finding.message}`;
}

/** Runs one check on the repository and prints what it finds: what `node tools/<check>.ts` does. */
export function runCheck(name: string, check: (tree: Tree) => readonly Finding[]): void {
  const findings = check(readTree());
  for (const finding of findings) console.error(formatFinding(finding));
  if (findings.length === 0) {
    console.log(`${name}: nothing to object to`);
  } else {
    console.error(`${name}: ${findings.length} found`);
    process.exitCode = 1;
  }
}
