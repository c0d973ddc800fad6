import { parseSync, Visitor } from 'oxc-parser';
import { runCheck } from './report.ts';
import type { Finding, Tree } from './tree.ts';
import { isSource, isTest, lineAt } from './tree.ts';

/**
 * Files that read back what they alone wrote: the column is closed to everybody else, and a check of the shape would repeat
 * the type. The list may only shrink.
 */
const ownStorage: ReadonlySet<string> = new Set(['packages/custody/src/state.ts']);

/**
 * `value as Type` switches the compiler off for one value. It is right in one place: where a checked
 * text or number becomes a branded type, in the file that declares the brand. Tests may assert,
 * because they hand over on purpose what the types forbid.
 */
export function checkAssertions(tree: Tree): readonly Finding[] {
  const found: Finding[] = [];
  for (const [path, text] of tree) {
    if (!isSource(path) || isTest(path) || ownStorage.has(path)) continue;
    const { program, errors } = parseSync(path, text);
    if (errors.length > 0) continue; // the compiler reports it better
    const brands = new Set<string>();
    const assertions: { readonly type: string; readonly start: number }[] = [];
    const collect = (start: number, type: { readonly start: number; readonly end: number }): number =>
      assertions.push({ type: text.slice(type.start, type.end), start });
    new Visitor({
      TSTypeAliasDeclaration(node) {
        const alias = text.slice(node.typeAnnotation.start, node.typeAnnotation.end);
        if (/&\s*\{\s*readonly \[\w+\]: true;?\s*\}$/u.test(alias)) brands.add(node.id.name);
      },
      TSAsExpression(node) {
        collect(node.start, node.typeAnnotation);
      },
      TSTypeAssertion(node) {
        collect(node.start, node.typeAnnotation);
      },
    }).visit(program);
    for (const { type, start } of assertions) {
      if (type === 'const' || brands.has(type)) continue;
      const message = `asserts "as ${type}": parse the value, or narrow it with a check. Only the file that declares a brand may assert it.`;
      found.push({ path, line: lineAt(text, start), message });
    }
  }
  return found;
}

if (import.meta.main) runCheck('assertions', checkAssertions);
