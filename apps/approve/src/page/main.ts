import { nobleHashes } from '@bulkhead/authority';
import { examineAgreement, readAgreement } from '../agreement.ts';
import { type ApprovalRequest, readLink } from '../approval-request.ts';
import { verifyEd25519 } from '../ed25519.ts';
import { examine, type Examination } from '../examination.ts';
import { showAgreement } from './agreement-view.ts';
import { banner, sentenceOf, show } from './element.ts';
import { type Opened, showOpening } from './open-view.ts';
import { pins } from './pins.ts';
import { showRegistration } from './register-view.ts';
import { showRequest } from './request-view.ts';

/** Reads the request again each time: what was so a quarter of an hour ago may not be so now. */
async function examined(request: ApprovalRequest): Promise<Examination> {
  const now = BigInt(Math.floor(Date.now() / 1_000));
  return examine(request, { pins, hashes: nobleHashes, verify: verifyEd25519, now });
}

async function open(request: ApprovalRequest): Promise<void> {
  const again = (): Promise<Examination> => examined(request);
  showRequest(await again(), again);
}

const opened: Opened = {
  request: open,
  agreement: (text) => showAgreement(examineAgreement(readAgreement(text))),
};

async function route(): Promise<void> {
  const { hash, origin } = location;
  if (origin !== pins.origin || window.top !== window) {
    show(
      banner(
        'danger',
        'This is not the approval page',
        `It was made for ${pins.origin} and is open on ${origin}${window.top === window ? '' : ', inside another page'}. Nothing is signed here: somebody may have copied it. Type the right address by hand.`,
      ),
    );
    return;
  }
  const register = hash === '#register';
  document.getElementById('to-register')?.toggleAttribute('aria-current', register);
  document.getElementById('to-approve')?.toggleAttribute('aria-current', !register);
  if (register) showRegistration();
  else if (hash === '') showOpening(opened);
  else {
    try {
      await open(readLink(hash));
    } catch (error) {
      showOpening(opened, sentenceOf(error));
    }
  }
}

function start(): void {
  const installation = document.getElementById('installation');
  if (installation !== null) installation.textContent = pins.name;
  document.title = `Approve · ${pins.name}`;
  const foot = document.getElementById('foot');
  if (foot !== null) foot.textContent = `Installation ${pins.deployment}`;
  const go = (): void => {
    route().catch((error: unknown) => show(banner('danger', 'This page is broken', sentenceOf(error))));
  };
  addEventListener('hashchange', go);
  go();
}

start();
