import { groupTitles, type PinField, pinFields, type PinGroup } from '../pin-field.ts';
import { type PinName, pinNames, type PinTexts } from '../pin-name.ts';
import { nodesOf } from '../pin-reading.ts';
import type { Pins } from '@bulkhead/verifier';
import { element, sentenceOf } from './element.ts';
import { forget, recall, remember } from './remembered.ts';

/** What was typed, understood. */
export type Typed = { readonly pins: Pins; readonly nodes: readonly string[]; readonly texts: PinTexts };

/** What a check needs to know, and what helps besides. */
export type Wanted = {
  readonly needs: readonly PinName[];
  readonly helps: readonly PinName[];
  readonly suggests: PinTexts;
};

export type PinView = {
  readonly card: HTMLElement;
  /** Asks for these and no others. What was typed stays, asked for or not. */
  show(wanted: Wanted): void;
  /** Reads what was typed; undefined where something is wrong, which is then shown and focused. */
  read(): Typed | undefined;
};

type Row = {
  readonly name: PinName;
  readonly field: PinField;
  readonly row: HTMLElement;
  readonly input: HTMLInputElement | HTMLTextAreaElement;
  readonly optional: HTMLElement;
  readonly wrong: HTMLElement;
};

const groups: readonly PinGroup[] = ['chain', 'you', 'signers', 'log', 'auditors'];

export function pinView(): PinView {
  const kept = recall();
  const rows = pinNames.map((name) => fieldRow(name, kept?.[name] ?? ''));
  const keep = keeping(kept !== undefined, () => textsOf(rows));
  const sets = groups.map((group) => {
    const own = rows.filter(({ field }) => field.group === group);
    return { own, set: groupSet(group, own) };
  });
  const card = element(
    'section',
    { class: 'card', 'aria-labelledby': 'pins', hidden: '' },
    element('h2', { id: 'pins' }, 'What do you know from elsewhere?'),
    element(
      'p',
      { class: 'hint' },
      'What you brought is held against this. Take it from your agreement or from somebody you trust, not from what you are checking.',
    ),
    ...sets.map(({ set }) => set),
    keep.row,
  );
  let asked: readonly Row[] = [];
  let needs: readonly PinName[] = [];
  return {
    card,
    show: (wanted) => {
      ({ needs } = wanted);
      asked = rows.filter(({ name }) => needs.includes(name) || wanted.helps.includes(name));
      for (const each of rows) {
        each.row.hidden = !asked.includes(each);
        each.optional.hidden = needs.includes(each.name);
        each.input.toggleAttribute('required', needs.includes(each.name));
        if (each.input.value === '') each.input.value = wanted.suggests[each.name] ?? '';
      }
      for (const { own, set } of sets) set.hidden = !own.some((row) => asked.includes(row));
      card.hidden = asked.length === 0;
    },
    read: () => {
      const typed = readRows(asked, needs);
      if (typed !== undefined && keep.wanted()) remember(typed.texts);
      return typed;
    },
  };
}

/** What belongs together, below a heading; what few people need is folded away. */
function groupSet(group: PinGroup, rows: readonly Row[]): HTMLElement {
  const fields = element('div', { class: 'fields' }, ...rows.map(({ row }) => row));
  if (group === 'auditors') {
    const summary = element('summary', { class: 'legend' }, groupTitles[group]);
    return element('details', { class: 'group' }, summary, fields);
  }
  const legend = element('legend', { class: 'legend' }, groupTitles[group]);
  return element('fieldset', { class: 'group' }, legend, fields);
}

function fieldRow(name: PinName, value: string): Row {
  const field = pinFields[name];
  const { label, hint, where, size, example } = field;
  const attributes = {
    id: name,
    autocomplete: 'off',
    autocapitalize: 'none',
    spellcheck: 'false',
    placeholder: example,
    'aria-describedby': `${name}-hint ${name}-wrong`,
  };
  const input = size === 'lines' ? element('textarea', { ...attributes, rows: '2' }) : element('input', attributes);
  input.value = value;
  const wrong = element('p', { class: 'wrong', id: `${name}-wrong`, hidden: '' });
  const optional = element('span', { class: 'optional' }, ' (if you have it)');
  const row = element(
    'div',
    { class: size === 'half' ? 'field half' : 'field' },
    element('label', { for: name }, label, optional),
    element('p', { class: 'hint', id: `${name}-hint` }, hint),
    input,
    wrong,
    element('details', {}, element('summary', {}, 'Where do I find this?'), element('p', { class: 'where' }, where)),
  );
  return { name, field, row, input, optional, wrong };
}

function textsOf(rows: readonly Row[]): PinTexts {
  const typed: Partial<Record<PinName, string>> = {};
  for (const { name, input } of rows) {
    const text = input.value.trim();
    if (text !== '') typed[name] = text;
  }
  return typed;
}

function readRows(rows: readonly Row[], needs: readonly PinName[]): Typed | undefined {
  const texts = textsOf(rows);
  let pins: Pins = {};
  let first: Row | undefined;
  for (const each of rows) {
    const { name, field, input, wrong } = each;
    const text = texts[name];
    let problem = text === undefined && needs.includes(name) ? 'This is needed.' : undefined;
    try {
      if (text !== undefined) pins = field.add(pins, text, texts);
    } catch (error) {
      problem = sentenceOf(error);
    }
    wrong.hidden = problem === undefined;
    wrong.textContent = problem ?? '';
    input.toggleAttribute('aria-invalid', false);
    if (problem === undefined) continue;
    input.setAttribute('aria-invalid', 'true');
    first ??= each;
  }
  if (first === undefined) return { pins, nodes: nodesOf(texts.nodes ?? ''), texts };
  first.row.closest('details')?.toggleAttribute('open', true);
  first.input.focus();
  return undefined;
}

/** The choice to have what was typed kept. Nothing is without it, and taking it back forgets at once. */
function keeping(kept: boolean, texts: () => PinTexts): { readonly row: HTMLElement; readonly wanted: () => boolean } {
  const box = element('input', { type: 'checkbox', id: 'keep', 'aria-describedby': 'keep-hint' });
  box.checked = kept;
  box.addEventListener('change', () => {
    if (!box.checked) forget();
    else if (!remember(texts())) box.checked = false;
  });
  const row = element(
    'div',
    { class: 'check' },
    box,
    element(
      'div',
      {},
      element('label', { for: 'keep' }, 'Remember on this device what I type here'),
      element(
        'p',
        { class: 'hint', id: 'keep-hint' },
        'Not the files. Whoever uses this browser can then see it, your balance included.',
      ),
    ),
  );
  return { row, wanted: () => box.checked };
}
