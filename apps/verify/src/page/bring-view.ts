import { type Brought, broughtBytesMax, recognise, type Recognised } from '../recognition.ts';
import { button, element, sentenceOf } from './element.ts';
import { sign } from './sign.ts';

/** A thing on the table: what was brought, and what it is where that is known. */
export type Thing = Brought & { readonly recognised: Recognised | undefined };

export type BringView = {
  readonly card: HTMLElement;
  things(): readonly Thing[];
  clear(): void;
};

/** @param changed after each change, with a sentence for whoever cannot see it */
export function bringView(changed: (said: string) => void): BringView {
  let things: readonly Thing[] = [];
  const list = element('ul', { class: 'brought', 'aria-label': 'What you brought', hidden: '' });
  const trouble = element('p', { class: 'wrong', hidden: '' });
  const show = (said: string): void => {
    list.hidden = things.length === 0;
    list.replaceChildren(...things.map((thing) => line(thing, () => remove(thing))));
    changed(said);
  };
  const remove = (thing: Thing): void => {
    things = things.filter((other) => other !== thing);
    show(`${thing.name} is put aside.`);
    list.closest('section')?.querySelector('input')?.focus();
  };
  const add = (brought: readonly Brought[]): void => {
    const more = brought.map((one) => ({ ...one, recognised: recognise(one) }));
    const names = new Set(more.map(({ name }) => name));
    things = [...things.filter(({ name }) => !names.has(name)), ...more];
    trouble.hidden = true;
    show(more.map(({ name, recognised }) => `${name}: ${recognised?.title ?? notRecognised}.`).join(' '));
  };
  const failed = (error: unknown): void => {
    trouble.hidden = false;
    trouble.textContent = sentenceOf(error);
    changed(sentenceOf(error));
  };
  const open = (files: readonly File[]): void => {
    Promise.all(files.map(read)).then(add, failed);
  };
  const card = element(
    'section',
    { class: 'card', 'aria-labelledby': 'bring' },
    element('h2', { id: 'bring' }, 'What do you want to check?'),
    element('p', { class: 'hint' }, 'Files that the custodian gave you, several at once where they belong together.'),
    dropPlace(open),
    element('p', { class: 'or' }, 'or'),
    ...pasting((text) => add([{ name: 'Pasted text', bytes: new TextEncoder().encode(text) }])),
    trouble,
    list,
  );
  return {
    card,
    things: () => things,
    clear: () => {
      things = [];
      show('');
    },
  };
}

const notRecognised = 'not a thing that this page knows';

function line({ name, bytes, recognised }: Thing, remove: () => void): HTMLElement {
  const { title, says } = recognised ?? {
    title: 'This page does not know what this is',
    says: 'It knows what Bulkhead gives to clients: packages, statements, certificates, receipts. Is it the whole file?',
  };
  return element(
    'li',
    recognised === undefined ? { class: 'odd' } : {},
    element(
      'div',
      {},
      element('p', {}, element('strong', {}, title)),
      says === '' ? undefined : element('p', {}, says),
      element('p', { class: 'file' }, `${name} · ${sizeText(bytes.length)}`),
    ),
    button('Remove', { class: 'small', 'aria-label': `Remove ${name}` }, remove),
  );
}

function sizeText(bytes: number): string {
  return bytes < 10_000 ? `${bytes} bytes` : `${Math.round(bytes / 1_000).toLocaleString('en')} kB`;
}

function dropPlace(open: (files: readonly File[]) => void): HTMLElement {
  const input = element('input', { type: 'file', id: 'files', multiple: '' });
  input.addEventListener('change', () => {
    open([...(input.files ?? [])]);
    input.value = '';
  });
  const place = element(
    'label',
    { class: 'drop', for: 'files' },
    sign('file'),
    element('span', {}, element('strong', {}, 'Choose files'), ' or drop them anywhere on this page'),
    element('span', { class: 'hint' }, 'They are read here, and go nowhere.'),
    input,
  );
  // A file that misses the place would replace the page.
  const over = (event: DragEvent, inside: boolean): void => {
    event.preventDefault();
    place.classList.toggle('over', inside);
  };
  document.addEventListener('dragover', (event) => over(event, true));
  document.addEventListener('dragleave', (event) => over(event, false));
  document.addEventListener('drop', (event) => {
    over(event, false);
    open([...(event.dataTransfer?.files ?? [])]);
  });
  return place;
}

async function read(file: File): Promise<Brought> {
  if (file.size > broughtBytesMax) throw new Error(`${file.name} is too large for anything that this page checks.`);
  return { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
}

function pasting(taken: (text: string) => void): readonly HTMLElement[] {
  const area = element('textarea', {
    id: 'text',
    rows: '2',
    spellcheck: 'false',
    autocapitalize: 'none',
    autocomplete: 'off',
    'aria-describedby': 'text-hint',
  });
  const use = button('Use this text', { id: 'use-text' }, () => {
    if (area.value.trim() === '') return area.focus();
    taken(area.value);
    area.value = '';
  });
  return [
    element('label', { for: 'text' }, 'Paste an address, or the text of a file'),
    element('p', { class: 'hint', id: 'text-hint' }, 'A deposit address, a certificate, a receipt, a checkpoint.'),
    area,
    element('div', { class: 'actions' }, use),
  ];
}
