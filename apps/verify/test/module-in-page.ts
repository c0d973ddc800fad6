import { build } from 'esbuild';
import type { Browser } from 'playwright-core';

/** Calls a function of a module in a page of its own: compiled for a browser, and nothing beside it. */
export async function callInPage(
  browser: Browser,
  { module, name, value }: { readonly module: string; readonly name: string; readonly value: unknown },
): Promise<unknown> {
  const { outputFiles } = await build({
    entryPoints: [module],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'inPage',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    logLevel: 'silent',
  });
  const page = await browser.newPage();
  try {
    await page.addScriptTag({ content: outputFiles[0]?.text ?? '' });
    return await page.evaluate(called, { name, value });
  } finally {
    await page.close();
  }
}

/** In the page. The bundle's name is declared there with `var`. */
function called({ name, value }: { readonly name: string; readonly value: unknown }): unknown {
  const module: unknown = Reflect.get(globalThis, 'inPage');
  const work: unknown = typeof module === 'object' && module !== null ? Reflect.get(module, name) : undefined;
  if (typeof work !== 'function') throw new TypeError(`The module has no function ${name}.`);
  return Reflect.apply(work, undefined, [value]);
}
