import { same } from '../same.ts';

/** In the place of `node:assert/strict`: as much of it as the suites use, as strict. */
type Expected = RegExp | ((error: unknown) => unknown) | Readonly<Record<string, unknown>> | string;

function raise(message: string | Error | undefined, otherwise: string): never {
  throw message instanceof Error ? message : new Error(message === undefined ? otherwise : `${message}: ${otherwise}`);
}

function ok(value: unknown, message?: string | Error): asserts value {
  if (!value) raise(message, `${shown(value)} is not truthy`);
}

function expectThrown(thrown: unknown, expected: Expected | undefined): void {
  if (expected === undefined || typeof expected === 'string') return;
  if (expected instanceof RegExp) {
    return ok(expected.test(String(thrown)), `${String(thrown)} does not match ${expected}`);
  }
  if (typeof expected === 'function') {
    if (expected.prototype instanceof Error || Object.is(expected, Error)) {
      return ok(Function.prototype[Symbol.hasInstance].call(expected, thrown), `${String(thrown)} is of another class`);
    }
    return ok(expected(thrown) === true, `${String(thrown)} is not what is expected`);
  }
  for (const [name, value] of Object.entries(expected)) {
    const found: unknown = typeof thrown === 'object' && thrown !== null ? Reflect.get(thrown, name) : undefined;
    const fits = value instanceof RegExp ? value.test(String(found)) : same(found, value);
    ok(fits, `"${name}" of ${String(thrown)} is ${shown(found)}`);
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_key, one: unknown) => {
    if (typeof one === 'bigint') return `${one}n`;
    if (one instanceof Uint8Array) {
      return Array.from(one.subarray(0, 40), (byte) => byte.toString(16).padStart(2, '0')).join('');
    }
    return one instanceof Map ? [...one] : one;
  });
  return (text ?? String(value)).slice(0, 2_000);
}

const assertion = Object.assign(ok, {
  ok,
  fail: (message?: string | Error): never => raise(message, 'failed'),
  equal: (actual: unknown, expected: unknown, message?: string): void =>
    ok(Object.is(actual, expected), `${message ?? ''} ${shown(actual)} is not ${shown(expected)}`),
  notEqual: (actual: unknown, expected: unknown, message?: string): void =>
    ok(!Object.is(actual, expected), `${message ?? ''} both are ${shown(actual)}`),
  deepEqual: (actual: unknown, expected: unknown, message?: string): void =>
    ok(same(actual, expected), `${message ?? ''} ${shown(actual)} is not like ${shown(expected)}`),
  notDeepEqual: (actual: unknown, expected: unknown, message?: string): void =>
    ok(!same(actual, expected), `${message ?? ''} both are like ${shown(actual)}`),
  match: (text: string, form: RegExp, message?: string): void =>
    ok(form.test(text), message ?? `${shown(text)} does not match ${form}`),
  doesNotMatch: (text: string, form: RegExp, message?: string): void =>
    ok(!form.test(text), message ?? `${shown(text)} matches ${form}`),
  throws: (work: () => unknown, expected?: Expected, message?: string): void => {
    let thrown: { readonly error: unknown } | undefined;
    try {
      work();
    } catch (error) {
      thrown = { error };
    }
    if (thrown === undefined) raise(message, 'nothing was thrown');
    expectThrown(thrown.error, expected);
  },
  rejects: async (work: Promise<unknown> | (() => Promise<unknown>), expected?: Expected, message?: string) => {
    let thrown: { readonly error: unknown } | undefined;
    try {
      await (typeof work === 'function' ? work() : work);
    } catch (error) {
      thrown = { error };
    }
    if (thrown === undefined) raise(message, 'nothing was thrown');
    expectThrown(thrown.error, expected);
  },
});

// oxlint-disable-next-line import/no-default-export -- the module that it stands for has that one alone
export { assertion as default };
