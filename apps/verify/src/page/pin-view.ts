import { type PinField, pinFields, type PinName, pinNames, type Pins, type PinTexts } from '../pin-field.ts';
import { element, sentenceOf } from './element.ts';
import { forget, recall, remember } from './remembered.ts';

export type PinView = {
  readonly card: HTMLElement;
  /** Asks for these and no others. What was typed stays, asked for or not. */
  show(needs: readonly PinName[], suggested: PinTexts): void;
  /** Reads what was typed; undefined where something is wrong, which is then shown and focused. */
  read(): Pins | undefined;
  texts(): PinTexts;
};

type Row = {
  readonly field: PinField;
  readonly row: HTMLElement;
  readonly input: HTMLInputElement | HTMLTextAreaElement;
  readonly wrong: HTMLElement;
};

export function pinView(): PinView {
  const kept = recall();
  const rows = pinNames.map((name) => fieldRow(pinFields[name], kept?.[name] ?? ''));
  const keep = keeping(kept !== undefined, () => textsOf(rows));
  const card = element(
    'section',
    { class: 'card', 'aria-labelledby': 'pins', hidden: '' },
    element('h2', { id: 'pins' }, 'What do you know from elsewhere?'),
    element(
      'p',
      { class: 'hint' },
      'What you brought is held against this. Take it from your agreement or from somebody you trust, not from what you are checking.',
    ),
    element('div', { class: 'fields' }, ...rows.map(({ row }) => row)),
    keep.row,
  );
  let asked: readonly Row[] = [];
  return {
    card,
    show: (needs, suggested) => {
      asked = rows.filter(({ field }) => needs.includes(field.name));
      for (const { row, field, input } of rows) {
        row.hidden = !needs.includes(field.name);
        if (input.value === '') input.value = suggested[field.name] ?? '';
      }
      card.hidden = asked.length === 0;
    },
    read: () => readRows(asked, keep.wanted),
    texts: () => textsOf(asked),
  };
}

function fieldRow(field: PinField, value: string): Row {
  const { name, label, hint, where, lines, example } = field;
  const attributes = {
    id: name,
    autocomplete: 'off',
    autocapitalize: 'none',
    spellcheck: 'false',
    placeholder: example,
    'aria-describedby': `${name}-hint ${name}-wrong`,
    ...(field.optional ? {} : { 'aria-required': 'true' }),
  };
  const input =
    lines === 1 ? element('input', attributes) : element('textarea', { ...attributes, rows: String(lines) });
  input.value = value;
  const wrong = element('p', { class: 'wrong', id: `${name}-wrong`, hidden: '' });
  const row = element(
    'div',
    { class: field.half ? 'field half' : 'field' },
    element(
      'label',
      { for: name },
      label,
      field.optional ? element('span', { class: 'optional' }, ' (if you have it)') : undefined,
    ),
    element('p', { class: 'hint', id: `${name}-hint` }, hint),
    input,
    wrong,
    element('details', {}, element('summary', {}, 'Where do I find this?'), element('p', { class: 'where' }, where)),
  );
  return { field, row, input, wrong };
}

function textsOf(rows: readonly Row[]): PinTexts {
  const typed: Partial<Record<PinName, string>> = {};
  for (const { field, input } of rows) {
    const text = input.value.trim();
    if (text !== '') typed[field.name] = text;
  }
  return typed;
}

function readRows(rows: readonly Row[], wanted: () => boolean): Pins | undefined {
  const texts = textsOf(rows);
  let pins: Pins = {};
  let first: Row | undefined;
  for (const row of rows) {
    const problem = problemOf(row, texts, (read) => (pins = { ...pins, ...read }));
    row.wrong.hidden = problem === undefined;
    row.wrong.textContent = problem ?? '';
    if (problem === undefined) row.input.removeAttribute('aria-invalid');
    else row.input.setAttribute('aria-invalid', 'true');
    if (problem !== undefined) first ??= row;
  }
  first?.input.focus();
  if (first !== undefined) return undefined;
  if (wanted()) remember(texts);
  return pins;
}

function problemOf({ field }: Row, texts: PinTexts, take: (pins: Pins) => void): string | undefined {
  const text = texts[field.name];
  if (text === undefined) return field.optional ? undefined : 'This is needed.';
  try {
    take(field.read(text, texts));
    return undefined;
  } catch (error) {
    return sentenceOf(error);
  }
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
