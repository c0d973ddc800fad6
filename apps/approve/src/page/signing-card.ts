import { credentialBytesMax, isHex, personIdOf } from '@bulkhead/authority';
import type { Approval } from '@bulkhead/domain';
import type { Examination } from '../examination.ts';
import { answerParts } from './answer.ts';
import { banner, button, card, element, field, sentenceOf } from './element.ts';
import { signWithPasskey } from './passkey.ts';
import { recall, type Remembered, remember } from './remembered.ts';
import { browserWallet, signWithWallet } from './wallet.ts';

export type Signing = {
  readonly examination: Examination;
  readonly again: () => Promise<Examination>;
  readonly redraw: (examination: Examination) => void;
};

/** The part of the page that asks for a signature, and gives it. */
export function signingCard({ examination, again, redraw }: Signing): HTMLElement {
  const known = recall();
  const person = field('Your id in the registry', { id: 'person', value: known.person });
  const key = field('Name of your key', { id: 'key', value: known.key });
  const credential = field(
    'Credential id of your passkey (hex)',
    { id: 'credential', value: known.credential },
    'Empty: the device offers the passkeys that it has.',
  );
  const place = element('div', {});
  const sign = (how: (who: Remembered) => Promise<Approval>): (() => Promise<void>) => {
    return async () => {
      place.replaceChildren();
      const who = whoSigns(person.input.value, key.input.value, credential.input.value);
      const now = await again();
      // What has become unusual in the meantime is read first.
      if (reasons(now) !== reasons(examination)) return redraw(now);
      const approval = await how(who);
      remember(who);
      place.replaceChildren(...answer(approval, examination));
      place.scrollIntoView({ block: 'start' });
    };
  };
  const failed = (error: unknown): void =>
    place.replaceChildren(banner('danger', 'Nothing was signed', sentenceOf(error)));
  const { digest, intent } = examination;
  const wallet = browserWallet();
  const passkey = { act: sign((who) => signWithPasskey(digest, who)), failed };
  const ways = element(
    'fieldset',
    { class: 'ways' },
    element('legend', { class: 'hidden' }, 'Ways to sign'),
    button('Sign with a passkey', { class: 'primary', id: 'sign-passkey' }, passkey),
    wallet === undefined
      ? undefined
      : button(
          'Sign with the browser wallet',
          { id: 'sign-wallet' },
          { act: sign((who) => signWithWallet(wallet, intent, who)), failed },
        ),
  );
  return card(
    'Sign',
    person.row,
    key.row,
    element('details', {}, element('summary', {}, 'Which passkey'), credential.row),
    acknowledgement(examination, ways),
    ways,
    place,
  );
}

/** Where something is wrong, nobody signs without having said that they read it. */
function acknowledgement({ notices }: Examination, ways: HTMLFieldSetElement): HTMLElement | undefined {
  const grave = notices.filter(({ level }) => level === 'danger').length;
  if (grave === 0) return undefined;
  const box = element('input', { type: 'checkbox', id: 'read' });
  ways.toggleAttribute('disabled', true);
  box.addEventListener('change', () => ways.toggleAttribute('disabled', !box.checked));
  const label =
    grave === 1
      ? 'I have read the red warning and sign all the same'
      : `I have read the ${grave} red warnings and sign all the same`;
  return element('p', { class: 'check' }, box, element('label', { for: 'read' }, label));
}

function whoSigns(person: string, key: string, credential: string): Remembered {
  const id = credential.trim();
  if (id !== '' && (id.length > credentialBytesMax * 2 || !isHex(id, id.length / 2))) {
    throw new Error('The credential id is no lower-case hex. Leave it empty if you do not know it.');
  }
  return { person: personIdOf(person.trim()), key: personIdOf(key.trim()), credential: id };
}

function reasons({ refusal, notices }: Examination): string {
  return JSON.stringify([refusal ?? '', ...notices.map(({ title }) => title)]);
}

function answer(approval: Approval, { intent }: Examination): readonly HTMLElement[] {
  return [
    element('h3', { class: 'done' }, 'Signed'),
    element('p', {}, 'It was sent nowhere. Give it to the server, as approval or as signature of the requester.'),
    ...answerParts({
      text: JSON.stringify(approval),
      fileName: `approval-${intent.id}.json`,
      qrLabel: 'The approval as QR code',
    }),
  ];
}
