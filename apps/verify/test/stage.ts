import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { launchChromium } from '@bulkhead/approve/testing';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { buildVerifyPage, verifyPageName } from '../src/index.ts';

/** The page as people have it: one file on a disk, open in a real browser. */
export type Stage = AsyncDisposable & {
  readonly browser: Browser;
  /** Address of the file. */
  readonly page: string;
  /** Everything that any page asked for. */
  readonly asked: readonly string[];
  /** Whatever pages complained of, their policy's objections among it. */
  readonly complaints: readonly string[];
  open(options?: BrowserContextOptions & { readonly before?: string }): Promise<Page>;
};

export async function setStage(): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-verify-'));
  await buildVerifyPage(folder);
  const browser = await launchChromium();
  const [asked, complaints]: [string[], string[]] = [[], []];
  const address = pathToFileURL(join(folder, verifyPageName)).href;
  return {
    browser,
    page: address,
    asked,
    complaints,
    open: async ({ before, ...options } = {}) => {
      const context = await browser.newContext(options);
      context.setDefaultTimeout(20_000);
      context.on('request', (request) => asked.push(request.url()));
      const page = await context.newPage();
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      if (before !== undefined) await page.addInitScript(before);
      await page.goto(address);
      return page;
    },
    [Symbol.asyncDispose]: async () => {
      await browser.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A server that answers every call with the same text, and lets pages read it or not. */
export async function oneAnswer(
  body: string,
  { cors, status = 200 }: { readonly cors: boolean; readonly status?: number },
): Promise<{ readonly url: string; close(): void }> {
  const allowed = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' };
  const server: Server = createServer((request, response) => {
    response.writeHead(request.method === 'OPTIONS' ? 204 : status, cors ? allowed : {});
    response.end(request.method === 'OPTIONS' ? '' : body);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '0.0.0.0', () => resolve());
  });
  // A test that fails before it closes this still ends.
  server.unref();
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Fills in fields by their ids, in the order of the page. */
export async function fill(page: Page, texts: Readonly<Record<string, string>>): Promise<void> {
  for (const [id, text] of Object.entries(texts)) await page.fill(`#${id}`, text);
}

/** Presses the button and waits for the verdict; gives what a person reads. */
export async function verdictOf(page: Page): Promise<{ readonly title: string; readonly text: string }> {
  await page.click('#check');
  await page.locator('#verdict').waitFor();
  return { title: await page.locator('#verdict').innerText(), text: await page.locator('main').innerText() };
}
