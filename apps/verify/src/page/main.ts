import type { PinTexts } from '../pin-name.ts';
import { bringView } from './bring-view.ts';
import { answerQuestions, ask } from './check-worker.ts';
import { button, element, part, sentenceOf } from './element.ts';
import { pinView } from './pin-view.ts';
import { resultView, type Shown } from './result-view.ts';

/** Says something to whoever does not see it. */
function say(text: string): void {
  part('said').textContent = text;
}

function start(): void {
  const pins = pinView();
  const bring = bringView((said) => {
    const known = bring.table().descriptions.filter((one) => one.known);
    pins.show({
      needs: known.flatMap(({ needs }) => needs),
      helps: known.flatMap(({ helps }) => helps),
      suggests: known.reduce<PinTexts>((all, { suggests }) => ({ ...all, ...suggests }), {}),
    });
    check.hidden = known.length === 0;
    say(said);
  });
  const place = element('div', { id: 'working' });
  const working = progressLine(place);
  const check = button('Check', { class: 'primary', id: 'check', hidden: '' }, () => {
    const typed = pins.read();
    if (typed === undefined) return say('Something that you typed needs another look.');
    const { brought } = bring.table();
    const asking = ask({ ask: 'check', brought, pins: typed.pins, nodes: typed.nodes }, working.tell);
    check.disabled = true;
    working.show(() => asking.stop());
    asking.answer
      .then((answer) => {
        if ('checked' in answer) showResult({ checked: answer.checked, texts: typed.texts, at: new Date() });
      })
      .catch((error: unknown) => working.fail(sentenceOf(error)))
      .finally(() => (check.disabled = false));
  });
  const showResult = (shown: Shown): void => {
    working.hide();
    const { parts, verdict } = resultView(shown, {
      change: () => history.back(),
      anew: () => {
        bring.clear();
        history.back();
      },
    });
    part('result').replaceChildren(...parts);
    // A page of its own for the way back, which on a phone is the way people take.
    location.hash = 'result';
    say(`${verdict.title}. ${verdict.sentence}`);
  };
  part('question').append(introduction(), bring.card, pins.card, element('div', { class: 'actions' }, check), place);
  addEventListener('hashchange', turn);
  if (location.hash !== '') history.replaceState(null, '', location.pathname);
  part('place').textContent = location.protocol === 'file:' ? 'Opened from a file' : `Opened from ${location.host}`;
}

/** Shows the question or the result, whichever the address says. */
function turn(): void {
  const result = location.hash === '#result' && part('result').childElementCount > 0;
  part('result').hidden = !result;
  part('question').hidden = result;
  const heading = part(result ? 'result' : 'question').querySelector('h1');
  heading?.focus({ preventScroll: true });
  document.title = result ? `${heading?.textContent ?? ''} · Verify` : 'Verify';
  scrollTo({ top: 0 });
}

function introduction(): HTMLElement {
  return element(
    'div',
    {},
    element('h1', { tabindex: '-1' }, 'Check it yourself'),
    element(
      'p',
      { class: 'lead' },
      'Whether your assets are there, whole, and apart from others: this page works it out on your device, from the files that you were given and the public chain. It takes nobody’s word for it.',
    ),
  );
}

type Progress = {
  readonly show: (stop: () => void) => void;
  readonly tell: (what: string) => void;
  readonly fail: (message: string) => void;
  readonly hide: () => void;
};

function progressLine(place: HTMLElement): Progress {
  const what = element('p', {}, '');
  return {
    show: (stop) => {
      what.textContent = 'Checking …';
      const turning = element('span', { class: 'turning', 'aria-hidden': 'true' });
      place.replaceChildren(
        element('div', { class: 'working' }, turning, what, button('Stop', { class: 'small', id: 'stop' }, stop)),
      );
      say('Checking.');
    },
    tell: (text) => {
      what.textContent = `${text.slice(0, 1).toUpperCase()}${text.slice(1)} …`;
    },
    fail: (message) => {
      place.replaceChildren(element('p', { class: 'note', role: 'alert' }, message));
    },
    hide: () => place.replaceChildren(),
  };
}

if (typeof document === 'undefined') answerQuestions();
else start();
