import { parseSync, Visitor } from 'oxc-parser';
import { runCheck } from './report.ts';
import { readRows } from './rows.ts';
import type { Finding, Tree } from './tree.ts';
import { isTest, lineAt } from './tree.ts';

const faultPath = 'packages/domain/src/fault.ts';
const cataloguePath = 'spec/errors.md';
const codeForm = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*\/[a-z0-9]+(?:-[a-z0-9]+)*$/u;

type Code = { readonly code: string; readonly line: number };

/** The codes of the closed union: every literal of the form `noun/reason` in `fault.ts`, once each. */
export function declaredCodes(text: string): readonly Code[] {
  const codes = new Map<string, Code>();
  const { program } = parseSync(faultPath, text);
  let declaration: { readonly start: number; readonly end: number } | undefined;
  new Visitor({
    VariableDeclarator(node) {
      if (node.id.type === 'Identifier' && node.id.name === 'faultCodes') declaration = node;
    },
    Literal(node) {
      const inside = declaration !== undefined && node.start > declaration.start && node.end < declaration.end;
      if (!inside || typeof node.value !== 'string' || codes.has(node.value)) return;
      codes.set(node.value, { code: node.value, line: lineAt(text, node.start) });
    },
  }).visit(program);
  return [...codes.values()];
}

/**
 * Every fault code has one row in the catalogue and every row a code; rows are sorted and say what the
 * code means, why it happens and what to do; and every code is raised somewhere.
 */
export function checkErrors(tree: Tree): readonly Finding[] {
  const fault = tree.get(faultPath);
  if (fault === undefined) return [{ path: faultPath, message: 'is missing: it holds the fault codes' }];
  const codes = declaredCodes(fault);
  if (codes.length === 0) return [{ path: faultPath, message: 'declares no codes in `faultCodes`' }];
  const found: Finding[] = [];
  const rows = readRows(tree.get(cataloguePath) ?? '').filter((row) => row.cells[0] !== 'code');
  const sources = [...tree].filter(
    ([path]) => path !== faultPath && /\.(?:ts|sql)$/u.test(path) && !isTest(path) && !path.startsWith('tools/'),
  );
  for (const { code, line } of codes) {
    if (!codeForm.test(code)) {
      found.push({ path: faultPath, line, message: `${code} is not of the form noun/reason` });
    }
    const count = rows.filter((row) => row.cells[0] === code).length;
    if (count !== 1) {
      found.push({ path: cataloguePath, message: `has ${count} rows for ${code}, one is needed` });
    }
    if (!sources.some(([, text]) => text.includes(`'${code}'`))) {
      found.push({ path: faultPath, line, message: `${code} is raised nowhere: remove it` });
    }
  }
  const known = new Set(codes.map(({ code }) => code));
  for (const [index, { cells, line }] of rows.entries()) {
    const [code = '', ...prose] = cells;
    const object = (message: string): number => found.push({ path: cataloguePath, line, message });
    if (!known.has(code)) object(`${code} is not a code of ${faultPath}`);
    if (prose.length !== 3 || prose.some((cell) => cell === '')) {
      object(`${code} needs four cells: code, meaning, why, what to do`);
    }
    const before = rows[index - 1]?.cells[0] ?? '';
    if (before > code) object(`${code} stands after ${before}: sort the rows by code`);
  }
  return found;
}

if (import.meta.main) runCheck('errors', checkErrors);
