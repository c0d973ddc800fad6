import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { create } from 'qrcode';
import { type ApprovalPageServer, buildApprovalPage, type PageFile, serveApprovalPage } from '../src/index.ts';
import { deployment, type Identity, identity } from './installation.ts';

/** Where Debian's package `chromium` puts it. */
const chromiumPath = '/usr/bin/chromium';

/** The page as people have it: built, served on an origin of its own, open in a real browser. */
export type Stage = {
  readonly folder: string;
  readonly origin: string;
  readonly files: readonly PageFile[];
  readonly identity: Identity;
  readonly browser: Browser;
  readonly server: ApprovalPageServer;
  /** Everything that any page asked for. */
  readonly asked: readonly string[];
  readonly open: (path: string, options?: BrowserContextOptions) => Promise<Page>;
  readonly strike: () => Promise<void>;
};

export async function launchChromium(args: readonly string[] = []): Promise<Browser> {
  if (!existsSync(chromiumPath)) {
    throw new Error(`Chromium is missing at ${chromiumPath}: install it with "apt-get install chromium".`);
  }
  return chromium.launch({ executablePath: chromiumPath, args: [...args] });
}

/** @param cameraShows the text whose QR code the camera sees */
export async function setStage(cameraShows: string): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-approve-'));
  const own = identity();
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const files = await buildApprovalPage(join(folder, 'page'), {
    relyingParty: 'localhost',
    origin,
    identities: [identity().publicKey, own.publicKey],
    deployment,
    name: 'Test custody',
  });
  const server = await serveApprovalPage({ directory: join(folder, 'page'), host: '127.0.0.1', port });
  writeFileSync(join(folder, 'camera.y4m'), film(cameraShows));
  const browser = await launchChromium([
    '--use-fake-ui-for-media-stream',
    '--use-fake-device-for-media-stream',
    `--use-file-for-fake-video-capture=${join(folder, 'camera.y4m')}`,
  ]);
  const asked: string[] = [];
  const contexts: BrowserContext[] = [];
  const open = async (path: string, options: BrowserContextOptions = {}): Promise<Page> => {
    const context = await browser.newContext({ acceptDownloads: true, ...options });
    contexts.push(context);
    context.setDefaultTimeout(20_000);
    context.on('request', (request) => asked.push(request.url()));
    const page = await context.newPage();
    await page.goto(origin + path);
    return page;
  };
  const strike = async (): Promise<void> => {
    await Promise.all(contexts.map(async (context) => context.close()));
    await browser.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, origin, files, identity: own, browser, server, asked, open, strike };
}

export type Authenticator = { readonly signCount: (credential: string) => Promise<number> };

/** A security key that verifies its user, plugged into one page. */
export async function plugIn(page: Page, userVerified = true): Promise<Authenticator> {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: userVerified,
      automaticPresenceSimulation: true,
    },
  });
  return {
    signCount: async (credential) => {
      const credentialId = Buffer.from(credential, 'hex').toString('base64');
      const { credential: kept } = await session.send('WebAuthn.getCredential', { authenticatorId, credentialId });
      return kept.signCount;
    },
  };
}

/** A page that lost its network would not matter; one that gained it would. */
export function isOwnFile(url: string, origin: string): boolean {
  const { origin: from, pathname, search } = new URL(url);
  return from === origin && search === '' && ['/', '/approve.css', '/approve.js'].includes(pathname);
}

export function builtText(stage: Stage, name: string): string {
  return readFileSync(join(stage.folder, 'page', name), 'utf8');
}

/** A picture of a QR code in the browser's simplest format, PNG aside: BMP of 24 bits. */
export function qrPicture(text: string, scale = 4): Buffer {
  const { side, dark } = pixels(text, scale);
  const row = Math.ceil((side * 3) / 4) * 4;
  const bytes = Buffer.alloc(54 + row * side, 0xff);
  bytes.write('BM', 0, 'latin1');
  bytes.fill(0, 2, 54);
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(side, 18);
  // Rows from the top down.
  bytes.writeInt32LE(-side, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) if (dark(x, y)) bytes.fill(0, 54 + y * row + x * 3, 54 + y * row + x * 3 + 3);
  }
  return bytes;
}

function pixels(
  text: string,
  scale: number,
): { readonly side: number; readonly dark: (x: number, y: number) => boolean } {
  const { size, data } = create(text, { errorCorrectionLevel: 'L' }).modules;
  const quiet = 4;
  const dark = (x: number, y: number): boolean => {
    const [column, line] = [Math.floor(x / scale) - quiet, Math.floor(y / scale) - quiet];
    return column >= 0 && line >= 0 && column < size && line < size && data[line * size + column] === 1;
  };
  return { side: (size + 2 * quiet) * scale, dark };
}

/** One frame of uncompressed film (YUV4MPEG2) of a QR code: what the camera sees, over and over. */
function film(text: string): Buffer {
  const [width, height] = [1_280, 720];
  const { side, dark } = pixels(text, 5);
  const luma = Buffer.alloc(width * height, 0xeb);
  const [left, top] = [Math.floor((width - side) / 2), Math.floor((height - side) / 2)];
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) if (dark(x, y)) luma[(top + y) * width + left + x] = 0x10;
  }
  const colour = Buffer.alloc((width * height) / 2, 0x80);
  return Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F5:1 Ip A1:1 C420jpeg\nFRAME\n`), luma, colour]);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  const address = server.address();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return typeof address === 'object' && address !== null ? address.port : 0;
}
