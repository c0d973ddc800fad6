/** In the place of `node:test`: collects what a file registers, and runs it in order. As much of it as the suites use. */
type Work = () => unknown;
type Named = { readonly name: string; readonly work: Work };
type Rest = readonly (Work | Readonly<Record<string, unknown>>)[];

function bodyOf(name: string, rest: Rest): Work {
  for (const one of rest) if (typeof one === 'function') return one;
  throw new TypeError(`"${name}" has no body.`);
}

let tests: Named[] = [];
let before_: Work[] = [];
let after_: Work[] = [];

export function test(name: string, ...rest: Rest): void {
  tests.push({ name, work: bodyOf(name, rest) });
}

export function suite(name: string, ...rest: Rest): void {
  bodyOf(name, rest)();
}

export function before(work: Work): void {
  before_.push(work);
}

export function after(work: Work): void {
  after_.push(work);
}

export type TestResult = {
  readonly file: string;
  readonly name: string;
  readonly ms: number;
  /** Where it failed: what was thrown. */
  readonly error: string | undefined;
};

/** Loads one file and runs its tests. What breaks outside of a test is a test of its own that failed. */
export async function runFile(file: string, load: () => Promise<unknown>): Promise<readonly TestResult[]> {
  [tests, before_, after_] = [[], [], []];
  const results: TestResult[] = [];
  const run = async (name: string, work: Work): Promise<boolean> => {
    const startedAt = performance.now();
    let error: string | undefined;
    try {
      await work();
    } catch (thrown) {
      error = thrown instanceof Error ? `${thrown.message}\n${thrown.stack ?? ''}` : String(thrown);
    }
    results.push({ file, name, ms: performance.now() - startedAt, error });
    return error === undefined;
  };
  if (await run('(is loaded)', load)) {
    let ready = true;
    for (const work of before_) ready = ready && (await run('(before all)', work));
    if (ready) for (const { name, work } of tests) await run(name, work);
    for (const work of after_) await run('(after all)', work);
  }
  return results;
}
