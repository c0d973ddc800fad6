import { approverKeyFields, canonicalJson, personIdOf } from '@bulkhead/authority';
import { answerParts } from './answer.ts';
import { banner, button, card, element, field, sentenceOf, show } from './element.ts';
import { registerPasskey } from './passkey.ts';
import { pins } from './pins.ts';
import { recall, remember } from './remembered.ts';

/** The view in which a person makes a passkey, to be listed by a change of policy. */
export function showRegistration(): void {
  const known = recall();
  const person = field('Your id in the registry', { id: 'person', value: known.person }, 'Such as approver-1.');
  const key = field(
    'A name for this key',
    { id: 'key', value: known.key },
    'Such as phone or key-1. A spare key gets another name.',
  );
  const place = element('div', {});
  const register = button(
    'Make a passkey',
    { class: 'primary', id: 'register' },
    {
      act: async () => {
        place.replaceChildren();
        const [who, which] = [personIdOf(person.input.value.trim()), personIdOf(key.input.value.trim())];
        const entry = await registerPasskey(who, which);
        remember({ person: who, key: which, credential: entry.credential });
        place.replaceChildren(
          card(
            'The key',
            element(
              'p',
              {},
              `Give this to whoever prepares the change of policy: it stands under "keys" of the person ${who}. It holds no secret. The key counts once the root quorum has approved the change.`,
            ),
            ...answerParts({
              text: canonicalJson(approverKeyFields(entry)),
              fileName: `passkey-${who}-${which}.json`,
              qrLabel: 'The key as QR code',
            }),
          ),
        );
        place.scrollIntoView({ block: 'start' });
      },
      failed: (error) => place.replaceChildren(banner('danger', 'No passkey was made', sentenceOf(error))),
    },
  );
  show(
    element('h1', {}, 'Register a passkey'),
    element(
      'p',
      { class: 'lead' },
      `A passkey of this device or of a security key, for ${pins.name}. It works on ${pins.origin} alone, and only after a PIN, a finger or a face.`,
    ),
    card('Who you are', person.row, key.row, element('div', { class: 'actions' }, register)),
    place,
  );
}
