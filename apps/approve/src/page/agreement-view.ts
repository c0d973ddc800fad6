import { accountOf, agreementData } from '@bulkhead/vaults';
import { hexToBytes } from '@noble/hashes/utils.js';
import { type AgreementExamination } from '../agreement.ts';
import { type ClientAssertion, passkeyAgreement, walletAgreement } from '../agreement-signature.ts';
import { answerParts } from './answer.ts';
import { addressBlocks, digestBlocks } from './digits.ts';
import { banner, button, card, element, sentenceOf, show } from './element.ts';
import { passkeyMsMax } from './passkey.ts';
import { pins } from './pins.ts';
import { noticeBanner } from './request-view.ts';
import { browserWallet } from './wallet.ts';

/** The view of terms that a client is to agree to: what is unusual first, then every field, then the signature. */
export function showAgreement(examination: AgreementExamination): void {
  const { vault, digest, lines, notices, refusal } = examination;
  const list = element('dl', { class: 'lines' });
  for (const { name, value } of lines) {
    const shown = name === 'Vault' ? addressBlocks(vault) : value;
    list.append(element('div', {}, element('dt', {}, name), element('dd', {}, shown)));
  }
  show(
    element('h1', {}, 'What you are asked to agree to'),
    refusal === undefined ? undefined : banner('danger', 'This cannot be signed', refusal),
    element(
      'section',
      { class: 'card head', 'aria-label': 'In short' },
      element('p', { class: 'kind' }, 'Vault of a client'),
      element(
        'p',
        {},
        'None of these terms ever changes; what may change is said with who may change it, and how long it waits.',
      ),
    ),
    ...notices.map(noticeBanner),
    card(
      'Every term',
      list,
      element('p', { class: 'label' }, 'Digest of the typed data, which your key signs'),
      digestBlocks(digest),
    ),
    refusal === undefined ? agreeCard(examination) : undefined,
    element('p', { class: 'hint' }, element('a', { href: '#' }, 'Open another request')),
  );
}

function agreeCard(examination: AgreementExamination): HTMLElement {
  const place = element('div', {});
  const failed = (error: unknown): void =>
    place.replaceChildren(banner('danger', 'Nothing was signed', sentenceOf(error)));
  const sign = (how: () => Promise<string>) => async (): Promise<void> => {
    place.replaceChildren();
    const signature = await how();
    place.replaceChildren(
      element('h3', { class: 'done' }, 'Signed'),
      element('p', {}, 'It was sent nowhere. Give it to the server as the signature of the client.'),
      ...answerParts({
        text: JSON.stringify({ signature }),
        fileName: `agreement-${examination.vault}.json`,
        qrLabel: 'The signature as QR code',
      }),
    );
  };
  const account = accountOf(examination.terms.config.clientKey);
  const wallet = browserWallet();
  const way =
    account === undefined
      ? button(
          'Sign with the passkey',
          { class: 'primary', id: 'agree-passkey' },
          { act: sign(async () => passkeyAgreement(examination, await assertionOver(examination.digest))), failed },
        )
      : button(
          'Sign with the browser wallet',
          { class: 'primary', id: 'agree-wallet' },
          {
            act: sign(async () => walletAgreement(examination, await askWallet(wallet, account, examination))),
            failed,
          },
        );
  return card('Sign', element('div', { class: 'actions' }, way), place);
}

async function assertionOver(digest: string): Promise<ClientAssertion> {
  const given = await navigator.credentials.get({
    publicKey: {
      challenge: Uint8Array.from(hexToBytes(digest)),
      rpId: pins.relyingParty,
      userVerification: 'required',
      timeout: passkeyMsMax,
    },
  });
  if (!(given instanceof PublicKeyCredential) || !(given.response instanceof AuthenticatorAssertionResponse)) {
    throw new Error('The browser gave no signature of a passkey.');
  }
  const { authenticatorData, clientDataJSON, signature } = given.response;
  return {
    authenticatorData: new Uint8Array(authenticatorData),
    clientDataJson: new Uint8Array(clientDataJSON),
    signature: new Uint8Array(signature),
  };
}

async function askWallet(
  wallet: ReturnType<typeof browserWallet>,
  account: string,
  { vault, terms }: AgreementExamination,
): Promise<unknown> {
  if (wallet === undefined) throw new Error('There is no wallet in this browser. Open the page where the wallet is.');
  await wallet({ method: 'eth_requestAccounts', params: [] });
  const typed = JSON.stringify(agreementData(vault, terms));
  return wallet({ method: 'eth_signTypedData_v4', params: [account, typed] });
}
