type Child = Node | string | undefined;

/**
 * Makes an element. Texts become text nodes and attributes are set as such, so that nothing that came from outside is ever read as
 * markup.
 */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>>,
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** A button that does something, once at a time; what goes wrong is told through `failed`. */
export function button(
  label: string,
  attributes: Readonly<Record<string, string>>,
  pressed: { readonly act: () => Promise<void> | void; readonly failed: (error: unknown) => void },
): HTMLButtonElement {
  const made = element('button', { type: 'button', ...attributes }, label);
  made.addEventListener('click', () => {
    made.disabled = true;
    Promise.resolve()
      .then(() => pressed.act())
      .catch((error: unknown) => pressed.failed(error))
      .finally(() => {
        made.disabled = false;
      });
  });
  return made;
}

/** A labelled field of one line. */
export function field(
  label: string,
  attributes: Readonly<Record<string, string>> & { readonly id: string },
  hint?: string,
): { readonly row: HTMLElement; readonly input: HTMLInputElement } {
  const hintId = `${attributes.id}-hint`;
  const input = element('input', {
    autocomplete: 'off',
    autocapitalize: 'none',
    spellcheck: 'false',
    ...attributes,
    ...(hint === undefined ? {} : { 'aria-describedby': hintId }),
  });
  const row = element(
    'div',
    { class: 'field' },
    element('label', { for: attributes.id }, label),
    input,
    hint === undefined ? undefined : element('p', { class: 'hint', id: hintId }, hint),
  );
  return { row, input };
}

/** A part of the page with a heading of its own. */
export function card(heading: string, ...children: readonly Child[]): HTMLElement {
  const id = `card-${heading.toLowerCase().replaceAll(/[^a-z]+/gu, '-')}`;
  return element('section', { class: 'card', 'aria-labelledby': id }, element('h2', { id }, heading), ...children);
}

/** A sentence that cannot be overlooked; screen readers read it at once. */
export function banner(level: 'danger' | 'warning' | 'information', title: string, text: string): HTMLElement {
  return element(
    'div',
    { class: `banner ${level}`, role: level === 'information' ? 'note' : 'alert' },
    element('strong', {}, title),
    element('p', {}, text),
  );
}

const view = (): HTMLElement => {
  const main = document.getElementById('view');
  if (main === null) throw new Error('The page has no place for its view.');
  return main;
};

/** Replaces what is shown. */
export function show(...children: readonly Child[]): void {
  view().replaceChildren(...children.filter((child) => child !== undefined));
  view().focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

/** The sentence of whatever was thrown. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
