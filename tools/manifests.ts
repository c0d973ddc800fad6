import type { Finding, Tree } from './tree.ts';

/** What the checks read of a `package.json`. */
export type Manifest = {
  readonly path: string;
  /** Folder of the workspace, `''` for the root. */
  readonly folder: string;
  readonly name: string;
  readonly dependencies: ReadonlyMap<string, string>;
  readonly devDependencies: ReadonlyMap<string, string>;
};

/** Every `package.json` of the tree. One that cannot be read is a finding, not an exception. */
export function readManifests(tree: Tree): {
  readonly manifests: readonly Manifest[];
  readonly findings: readonly Finding[];
} {
  const manifests: Manifest[] = [];
  const findings: Finding[] = [];
  for (const [path, text] of tree) {
    if (path !== 'package.json' && !path.endsWith('/package.json')) continue;
    const fields = parseObject(text);
    if (fields === undefined) {
      findings.push({ path, message: 'is not a JSON object' });
      continue;
    }
    const name = fields.get('name');
    manifests.push({
      path,
      folder: path === 'package.json' ? '' : path.slice(0, -'/package.json'.length),
      name: typeof name === 'string' ? name : '',
      dependencies: versionsOf(fields.get('dependencies')),
      devDependencies: versionsOf(fields.get('devDependencies')),
    });
  }
  return { manifests, findings };
}

/** The fields of a JSON object, or nothing if the text is no such thing. */
export function parseObject(text: string): ReadonlyMap<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? new Map<string, unknown>(Object.entries(value))
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function versionsOf(field: unknown): ReadonlyMap<string, string> {
  if (typeof field !== 'object' || field === null) return new Map();
  return new Map(Object.entries(field).map(([name, version]) => [name, String(version)]));
}
