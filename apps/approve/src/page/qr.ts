import jsqr from 'jsqr';
import { create } from 'qrcode';
import { element } from './element.ts';

/** Modules around a code that stay white. */
const quietModules = 4;

/** Pixels of the longer side of a picture in which a code is looked for. */
const pictureSideMax = 1_600;

const svg = 'http://www.w3.org/2000/svg';

/** A text as QR code, or nothing where it is too long for one. */
export function qrCode(text: string, label: string): SVGSVGElement | undefined {
  let modules: ReturnType<typeof create>['modules'];
  try {
    modules = create(text, { errorCorrectionLevel: 'L' }).modules;
  } catch {
    return undefined;
  }
  const { size, data } = modules;
  const side = size + 2 * quietModules;
  let path = '';
  for (const [at, dark] of data.entries()) {
    if (dark === 1) path += `M${(at % size) + quietModules} ${Math.floor(at / size) + quietModules}h1v1h-1z`;
  }
  const drawing = document.createElementNS(svg, 'svg');
  for (const [name, value] of [
    ['viewBox', `0 0 ${side} ${side}`],
    ['class', 'qr'],
    ['role', 'img'],
    ['aria-label', label],
    ['shape-rendering', 'crispEdges'],
  ] as const) {
    drawing.setAttribute(name, value);
  }
  const dark = document.createElementNS(svg, 'path');
  dark.setAttribute('d', path);
  drawing.append(dark);
  return drawing;
}

type Picture = { readonly source: CanvasImageSource; readonly width: number; readonly height: number };

/** The text of the QR code in a picture, if there is one. */
export function readQr({ source, width, height }: Picture): string | undefined {
  const scale = Math.min(1, pictureSideMax / Math.max(width, height, 1));
  const canvas = element('canvas', {});
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) return undefined;
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return jsqr(data, canvas.width, canvas.height)?.data;
}

/** The text of the QR code in a picture file. */
export async function readQrFile(file: Blob): Promise<string | undefined> {
  const bitmap = await createImageBitmap(file);
  try {
    return readQr({ source: bitmap, width: bitmap.width, height: bitmap.height });
  } finally {
    bitmap.close();
  }
}
