import type { Report, Step } from '@bulkhead/verifier';
import { pinFields } from '../pin-field.ts';
import { pinNames, type PinTexts } from '../pin-name.ts';
import type { Checked } from '../question.ts';
import { stepTitles, type Verdict, verdictOf } from '../verdict.ts';
import { button, element } from './element.ts';
import { type Sign, sign } from './sign.ts';

export type Shown = {
  readonly checked: Checked;
  readonly texts: PinTexts;
  readonly at: Date;
};

type Ways = { readonly change: () => void; readonly anew: () => void };

/** The verdict, then what fails, what cannot be known and what holds, then what it was held against. */
export function resultView(
  shown: Shown,
  ways: Ways,
): { readonly parts: readonly HTMLElement[]; readonly verdict: Verdict } {
  const { report, troubles } = shown.checked;
  const verdict = verdictOf(report);
  const nodes = troubles.map(({ node, reason }) =>
    element('p', { class: 'note' }, element('strong', {}, node), ` ${reason}`),
  );
  const parts = [
    verdictCard(verdict, nodes),
    stepsCard(report, 'fails', 'What does not hold'),
    stepsCard(report, 'unknown', 'What cannot be known from here'),
    stepsCard(report, 'holds', 'What was checked and holds'),
    limitsCard(report),
    factsCard(shown),
    element(
      'div',
      { class: 'actions' },
      button('Check something else', { class: 'primary', id: 'anew' }, ways.anew),
      button('Change what I typed', { id: 'change' }, ways.change),
      button('Print', { id: 'print' }, () => print()),
      button('Save the report', { id: 'save' }, () => save(shown, verdict)),
    ),
  ];
  return { parts: parts.filter((part) => part !== undefined), verdict };
}

const signOf: Readonly<Record<Verdict['outcome'], Sign>> = {
  holds: 'holds',
  'holds-so-far': 'holds-so-far',
  fails: 'fails',
  'nothing-known': 'unknown',
};

function verdictCard({ outcome, title, sentence }: Verdict, nodes: readonly HTMLElement[]): HTMLElement {
  return element(
    'section',
    { 'aria-labelledby': 'verdict' },
    element(
      'div',
      { class: `verdict ${outcome}` },
      sign(signOf[outcome]),
      element('div', {}, element('h1', { id: 'verdict', tabindex: '-1' }, title), element('p', {}, sentence)),
    ),
    ...nodes,
  );
}

const words: Readonly<Record<Step['result'], string>> = { holds: 'Holds', fails: 'Fails', unknown: 'Not known' };

function stepsCard({ steps }: Report, result: Step['result'], heading: string): HTMLElement | undefined {
  const these = steps.filter((step) => step.result === result);
  if (these.length === 0) return undefined;
  const id = `steps-${result}`;
  return element(
    'section',
    { class: 'card', 'aria-labelledby': id },
    element('h2', { id }, heading),
    element('ol', { class: 'steps' }, ...these.map(stepLine)),
  );
}

function stepLine({ step, result, reason, about }: Step): HTMLElement {
  return element(
    'li',
    { class: result },
    sign(result),
    element('h3', {}, stepTitles[step], about === undefined ? undefined : element('span', { class: 'about' }, about)),
    element('span', { class: 'word' }, words[result]),
    element('p', {}, reason),
  );
}

/** What stays outside of every check of this kind, whatever came out. */
function limitsCard({ limits }: Report): HTMLElement | undefined {
  if (limits.length === 0) return undefined;
  return element(
    'section',
    { class: 'card', 'aria-labelledby': 'limits' },
    element('h2', { id: 'limits' }, 'What no proof of this kind can show'),
    element('ul', { class: 'limits' }, ...limits.map((limit) => element('li', {}, limit))),
  );
}

function factsCard({ checked, texts, at }: Shown): HTMLElement {
  const facts = [
    ...checked.digests.map(({ name, sha256 }) => fact(name, element('code', {}, sha256))),
    ...pinNames.flatMap((name) => {
      const text = texts[name];
      return text === undefined
        ? []
        : [fact(pinFields[name].label, ...text.split(/\s+/u).map((word) => element('code', {}, word)))];
    }),
    fact('Checked', at.toISOString().replace('T', ' ').replace(/\..*/u, ' UTC')),
  ];
  return element(
    'section',
    { class: 'card', 'aria-labelledby': 'facts' },
    element('h2', { id: 'facts' }, 'What was held against what'),
    element('p', { class: 'hint' }, 'What you brought, by its SHA-256, and what you typed.'),
    element('dl', { class: 'facts' }, ...facts),
  );
}

function fact(name: string, ...values: readonly (Node | string)[]): HTMLElement {
  return element('div', {}, element('dt', {}, name), element('dd', {}, ...values));
}

/** The report as a file, for an auditor or a dispute. */
function save({ checked, texts, at }: Shown, { outcome, title }: Verdict): void {
  const report = {
    title,
    outcome,
    at: at.toISOString(),
    files: checked.digests,
    heldAgainst: texts,
    ...checked.report,
  };
  const url = URL.createObjectURL(
    new Blob([`${JSON.stringify(report, undefined, 2)}\n`], { type: 'application/json' }),
  );
  element('a', { href: url, download: `verify-${at.toISOString().slice(0, 10)}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
