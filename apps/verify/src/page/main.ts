import type { PinName, PinTexts } from '../pin-field.ts';
import type { Brought } from '../recognition.ts';
import { bringView } from './bring-view.ts';
import { answerQuestions, ask, type Asking } from './check-worker.ts';
import { button, element, part, sentenceOf } from './element.ts';
import { pinView } from './pin-view.ts';
import { resultView } from './result-view.ts';

/** Says something to whoever does not see it. */
function say(text: string): void {
  part('said').textContent = text;
}

function start(): void {
  const pins = pinView();
  const bring = bringView((said) => {
    const known = bring.things().flatMap(({ recognised }) => recognised ?? []);
    const needs = new Set<PinName>(known.flatMap((one) => one.needs));
    const suggested = known.reduce<PinTexts>((all, one) => ({ ...all, ...one.suggests }), {});
    pins.show([...needs], suggested);
    check.hidden = known.length === 0;
    say(said);
  });
  const place = element('div', { id: 'working' });
  const check = button('Check', { class: 'primary', id: 'check', hidden: '' }, () => {
    const read = pins.read();
    if (read === undefined) return say('Something that you typed needs another look.');
    const brought: readonly Brought[] = bring.things().map(({ name, bytes }) => ({ name, bytes }));
    work(
      ask({ brought, pins: read }, (what) => working.tell(what)),
      pins.texts(),
    );
  });
  const working = progressLine(place);
  const work = (asking: Asking, texts: PinTexts): void => {
    check.disabled = true;
    working.show(() => asking.stop());
    asking.answer
      .then((answer) => showResult({ answer, texts, at: new Date() }))
      .catch((error: unknown) => working.fail(sentenceOf(error)))
      .finally(() => (check.disabled = false));
  };
  const showResult = (shown: Parameters<typeof resultView>[0]): void => {
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
  show(stop: () => void): void;
  tell(what: string): void;
  fail(message: string): void;
  hide(): void;
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
      what.textContent = `${text} …`;
    },
    fail: (message) => {
      place.replaceChildren(element('p', { class: 'note', role: 'alert' }, message));
    },
    hide: () => place.replaceChildren(),
  };
}

if (typeof document === 'undefined') answerQuestions();
else start();
