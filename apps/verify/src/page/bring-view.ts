import type { Description } from '../description.ts';
import type { Answer, Brought } from '../question.ts';
import { ask } from './check-worker.ts';
import { button, element, sentenceOf } from './element.ts';
import { sign } from './sign.ts';

/** What lies on the table: what was brought, and what each thing is. */
export type Table = { readonly brought: readonly Brought[]; readonly descriptions: readonly Description[] };

export type BringView = {
  readonly card: HTMLElement;
  table(): Table;
  clear(): void;
};

/** Bytes of a file that are read at most: a whole proof of a million claims has a hundred million. */
const bytesMax = 512 * 2 ** 20;
const nothing: Table = { brought: [], descriptions: [] };

/** @param changed after each change, with a sentence for whoever cannot see it */
export function bringView(changed: (said: string) => void): BringView {
  let table = nothing;
  let turn = 0;
  const list = element('ul', { class: 'brought', 'aria-label': 'What you brought', hidden: '' });
  const trouble = element('p', { class: 'wrong', hidden: '' });
  const failed = (error: unknown): void => {
    trouble.hidden = false;
    trouble.textContent = sentenceOf(error);
    changed(sentenceOf(error));
  };
  /** Looks at everything again: what a thing is may depend on what lies beside it. */
  const lay = (brought: readonly Brought[], said: (descriptions: readonly Description[]) => string): void => {
    trouble.hidden = true;
    turn += 1;
    const mine = turn;
    whatAre(brought)
      .then((descriptions) => {
        // Somebody was quicker than the answer: then another one is under way.
        if (mine !== turn) return;
        table = { brought, descriptions };
        list.hidden = brought.length === 0;
        list.replaceChildren(...brought.map((one, at) => line(one, descriptions[at], () => remove(one))));
        changed(said(descriptions));
      })
      .catch(failed);
  };
  const remove = (thing: Brought): void => {
    card.querySelector('input')?.focus();
    lay(
      table.brought.filter((other) => other !== thing),
      () => `${thing.name} is put aside.`,
    );
  };
  const add = (more: readonly Brought[]): void => {
    const large = more.find(({ content }) => content.size > bytesMax);
    if (large !== undefined) return failed(new Error(`${large.name} is too large for anything that is checked here.`));
    const brought = [...table.brought];
    for (const one of more) brought.push({ ...one, name: freeName(one.name, brought) });
    const { length } = table.brought;
    const names = brought.map(({ name }) => name);
    lay(brought, (all) =>
      all
        .map(({ title }, at) => `${names[at]}: ${title}.`)
        .slice(length)
        .join(' '),
    );
  };
  const card = element(
    'section',
    { class: 'card', 'aria-labelledby': 'bring' },
    element('h2', { id: 'bring' }, 'What do you want to check?'),
    element('p', { class: 'hint' }, 'What the custodian gave you; several files at once where they belong together.'),
    dropPlace((files) => add(files.map((file) => ({ name: file.name, content: file })))),
    element('p', { class: 'or' }, 'or'),
    ...pasting((text, name) => add([{ name, content: new Blob([text]) }])),
    trouble,
    list,
  );
  return {
    card,
    table: () => table,
    clear: () => lay([], () => ''),
  };
}

/** Two files of one name, out of two folders, stay two. The name keeps its end, which may say what a file is. */
function freeName(name: string, taken: readonly Brought[]): string {
  const number = taken.filter((other) => other.name.replace(/^\(\d+\) /u, '') === name).length;
  return number === 0 ? name : `(${number + 1}) ${name}`;
}

async function whatAre(brought: readonly Brought[]): Promise<readonly Description[]> {
  if (brought.length === 0) return [];
  const answer: Answer = await ask({ ask: 'what', brought }, () => undefined).answer;
  return 'descriptions' in answer ? answer.descriptions : [];
}

function line({ name, content }: Brought, of: Description | undefined, remove: () => void): HTMLElement {
  return element(
    'li',
    of?.known === true ? {} : { class: 'odd' },
    element(
      'div',
      {},
      element('p', {}, element('strong', {}, of?.title ?? '')),
      of?.says === '' ? undefined : element('p', {}, of?.says ?? ''),
      element('p', { class: 'file' }, `${name} · ${sizeText(content.size)}`),
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

function pasting(taken: (text: string, name: string) => void): readonly HTMLElement[] {
  let texts = 0;
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
    texts += 1;
    taken(area.value, `Text ${texts}`);
    area.value = '';
  });
  return [
    element('label', { for: 'text' }, 'Paste an address, or the text of a file'),
    element('p', { class: 'hint', id: 'text-hint' }, 'A deposit address, a certificate, a receipt, a checkpoint.'),
    area,
    element('div', { class: 'actions' }, use),
  ];
}
