import { button, element } from './element.ts';
import { qrCode } from './qr.ts';

export type Answer = {
  /** JSON. */
  readonly text: string;
  readonly fileName: string;
  readonly qrLabel: string;
};

/** A text to take away: copied, saved or read from the screen. Nothing is sent anywhere. */
export function answerParts({ text, fileName, qrLabel }: Answer): readonly HTMLElement[] {
  const said = element('p', { class: 'hint', role: 'status' });
  const area = element('textarea', { class: 'answer', id: 'answer', readonly: '', rows: '7', 'aria-label': fileName });
  area.value = text;
  const failed = (): void => {
    area.select();
    said.textContent = 'The browser does not allow copying: the text is selected, copy it by hand.';
  };
  const copy = button(
    'Copy',
    { class: 'primary' },
    {
      act: async () => {
        await navigator.clipboard.writeText(text);
        said.textContent = 'Copied.';
      },
      failed,
    },
  );
  const save = button('Save as file', {}, { act: () => saveFile(text, fileName), failed });
  const code = qrCode(text, qrLabel);
  return [
    area,
    element('div', { class: 'actions' }, copy, save),
    said,
    code === undefined
      ? element('p', { class: 'hint' }, 'It is too long for a QR code.')
      : element('details', {}, element('summary', {}, 'Show as QR code'), element('div', { class: 'qr-frame' }, code)),
  ];
}

function saveFile(text: string, fileName: string): void {
  const url = URL.createObjectURL(new Blob([`${text}\n`], { type: 'application/json' }));
  element('a', { href: url, download: fileName }).click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
