import { isAgreement } from '../agreement.ts';
import { type ApprovalRequest, bundleCharactersMax, readRequest } from '../approval-request.ts';
import { banner, button, card, element, sentenceOf, show } from './element.ts';
import { type Camera, watchCamera } from './camera.ts';
import { readQrFile } from './qr.ts';

/** What to do with what somebody brought: something to approve, or the text of a vault to agree to. */
export type Opened = {
  readonly request: (request: ApprovalRequest) => Promise<void>;
  readonly agreement: (text: string) => void;
};

/** The view that takes a request in: as a link, a file, or a QR code. */
export function showOpening(opened: Opened, problem?: string): void {
  const place = element('div', {});
  const failed = (error: unknown): void => {
    place.replaceChildren(banner('danger', 'There is nothing to sign', sentenceOf(error)));
    place.scrollIntoView({ block: 'nearest' });
  };
  if (problem !== undefined) failed(new Error(problem));
  const open = async (text: string): Promise<void> =>
    isAgreement(text) ? opened.agreement(text) : opened.request(readRequest(text));
  show(
    element('h1', {}, 'Approve'),
    element(
      'p',
      { class: 'lead' },
      'Open what you were asked to approve. This page reads it by itself and shows what it really says. It sends nothing anywhere.',
    ),
    place,
    linkCard(open, failed),
    fileCard(open, failed),
    qrCard(open, failed),
  );
}

type Open = (text: string) => Promise<void>;
type Failed = (error: unknown) => void;

function linkCard(open: Open, failed: Failed): HTMLElement {
  const area = element('textarea', { id: 'link', rows: '3', spellcheck: 'false', autocapitalize: 'none' });
  return card(
    'Link',
    element('label', { for: 'link' }, 'Paste the link, or the text of the file'),
    area,
    element(
      'div',
      { class: 'actions' },
      button('Read it', { class: 'primary', id: 'read-link' }, { act: () => open(area.value), failed }),
    ),
  );
}

function fileCard(open: Open, failed: Failed): HTMLElement {
  const input = element('input', { type: 'file', id: 'file', accept: '.json,application/json,text/plain' });
  input.addEventListener('change', () => {
    const file = input.files?.[0];
    if (file !== undefined) fileText(file).then(open).catch(failed);
    input.value = '';
  });
  return card('File', element('label', { for: 'file' }, 'Open the file that the server gave (JSON)'), input);
}

async function fileText(file: Blob): Promise<string> {
  // Three bytes at most for a character: what is larger is not even loaded.
  if (file.size > bundleCharactersMax * 3) {
    throw new Error(`The file has ${file.size} bytes: no request is that large. Nothing can be signed.`);
  }
  return file.text();
}

function qrCard(open: Open, failed: Failed): HTMLElement {
  const input = element('input', { type: 'file', id: 'qr-file', accept: 'image/*' });
  input.addEventListener('change', () => {
    const file = input.files?.[0];
    if (file !== undefined) qrText(file).then(open).catch(failed);
    input.value = '';
  });
  const video = element('video', {
    class: 'camera',
    hidden: '',
    playsinline: '',
    'aria-label': 'Picture of the camera',
  });
  video.muted = true;
  let camera: Camera | undefined;
  const toggle = button(
    'Use the camera',
    { id: 'camera' },
    {
      act: async () => {
        if (camera === undefined) {
          video.hidden = false;
          camera = await watchCamera(video, (text) => {
            open(text).catch(failed);
          });
        } else {
          camera.stop();
          camera = undefined;
          video.hidden = true;
        }
        toggle.textContent = camera === undefined ? 'Use the camera' : 'Stop the camera';
      },
      failed: (error) => {
        video.hidden = true;
        failed(new Error(`The camera cannot be used: ${sentenceOf(error)} Open a picture of the code instead.`));
      },
    },
  );
  return card(
    'QR code',
    element('label', { for: 'qr-file' }, 'Open a picture of the code'),
    input,
    video,
    element('div', { class: 'actions' }, toggle),
  );
}

async function qrText(file: Blob): Promise<string> {
  let text: string | undefined;
  try {
    text = await readQrFile(file);
  } catch {
    throw new Error('This file is no picture that the browser can read.');
  }
  if (text === undefined || text === '') throw new Error('No QR code was found in this picture. Take a sharper one.');
  return text;
}
