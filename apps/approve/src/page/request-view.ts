import type { Brief, DescriptionLine } from '@bulkhead/authority';
import { describeAmount, describeSecond, describeSpan } from '@bulkhead/authority';
import { chainOf, formatDecimal, type Intent, nativeAsset } from '@bulkhead/domain';
import type { Examination } from '../examination.ts';
import type { Notice } from '../notice-shown.ts';
import { addressBlocks, digestBlocks } from './digits.ts';
import { banner, card, element, show } from './element.ts';
import { listCard } from './list-card.ts';
import { signingCard } from './signing-card.ts';

/** The view of one request: what is unusual first, then what it is, then all of it, then the signature. */
export function showRequest(examination: Examination, again: () => Promise<Examination>): void {
  const { brief, notices, refusal, items } = examination;
  const redraw = (other: Examination): void => showRequest(other, again);
  show(
    element('h1', {}, 'What you are asked to approve'),
    refusal === undefined ? undefined : banner('danger', 'This cannot be signed', refusal),
    headCard(examination),
    ...notices.map(noticeBanner),
    items === undefined ? undefined : listCard(items, examination.assets),
    brief === undefined ? undefined : briefCard(brief, examination),
    card(
      'Every field',
      linesOf(examination.lines, examination.intent),
      element('p', { class: 'label' }, 'Digest (SHA-256 of the bytes), which you sign'),
      digestBlocks(examination.digest),
    ),
    refusal === undefined ? signingCard({ examination, again, redraw }) : undefined,
    element('p', { class: 'hint' }, element('a', { href: '#' }, 'Open another request')),
  );
}

const titles: Readonly<Record<Intent['kind'], string>> = {
  withdrawal: 'Withdrawal',
  'deposit-return': 'Return of a deposit',
  sweep: 'Sweep',
  'gas-grant': 'Gas grant',
  'fee-payment': 'Fee payment',
  cancel: 'Cancellation',
  relay: 'Relay',
  delegation: 'Delegation',
  'vault-withdrawal': 'Withdrawal from a vault',
  'vault-fee': 'Fee from a vault',
  'vault-invalidation': 'Invalidation',
  'vault-pause': 'Pause of a vault',
  'vault-limit-lowering': 'Lower limit of a vault',
  'vault-destination-removal': 'Removal of a destination',
  'vault-key-recovery': "Recovery of a client's key",
  'signer-set-change': 'Change of the signers of all vaults',
  'signer-set-heartbeat': 'Heartbeat',
  'reserve-commitment': 'Commitment of reserves',
  'reserve-proof': 'Proof of reserves',
  'balance-statements': 'Statements of balances',
  'wallet-control': 'Control of a wallet',
  'log-checkpoint': 'Checkpoint of the audit log',
  enrolment: 'Enrolment',
  'policy-change': 'Change of policy',
  'state-recovery': 'Recovery of the state',
};

function headCard(examination: Examination): HTMLElement {
  const { intent, assets, brief, lines } = examination;
  const what = lines.find(({ name }) => name === 'What')?.value ?? '';
  const head = element(
    'section',
    { class: 'card head', 'aria-label': 'In short' },
    element('p', { class: 'kind' }, titles[intent.kind]),
  );
  if (!('amount' in intent)) {
    const count = 'items' in intent ? `${intent.items} ${intent.items === 1n ? 'change' : 'changes'}` : '';
    if (count !== '') head.append(element('p', { class: 'amount', id: 'amount' }, count));
    head.append(element('p', {}, what.slice(what.indexOf(': ') + 2)), boundsOf(examination));
    return head;
  }
  const known = assets.get(intent.asset);
  head.append(
    element(
      'p',
      { class: 'amount', id: 'amount' },
      known === undefined ? String(intent.amount) : formatDecimal(intent.amount, known.decimals),
      ' ',
      element('span', { class: 'unit' }, known?.symbol ?? 'base units of an unknown asset'),
    ),
    element('p', { class: 'base' }, `${intent.amount} base units of ${intent.asset}`),
    element('p', { class: 'label' }, 'to'),
    addressBlocks(intent.to),
  );
  const label = brief?.destination?.label;
  if (label !== undefined) {
    head.append(element('p', {}, 'Enrolled as ', element('bdi', { class: 'name' }, `“${label}”`)));
  }
  head.append(element('p', { class: 'label' }, 'from'), element('p', { class: 'from' }, fromOf(lines)));
  head.append(boundsOf(examination));
  return head;
}

/** What else bounds it: the highest fee, and until when. */
function boundsOf({ intent, assets }: Examination): HTMLElement {
  const bounds = element('dl', { class: 'bounds' });
  const bound = (name: string, value: string): void => {
    bounds.append(element('div', {}, element('dt', {}, name), element('dd', {}, value)));
  };
  if ('amount' in intent) {
    const native = assets.get(nativeAsset(chainOf(intent.asset)));
    const fee =
      native === undefined
        ? `${intent.feeMax} wei`
        : `${formatDecimal(intent.feeMax, native.decimals)} ${native.symbol}`;
    bound('Highest fee', 'feePayer' in intent ? `${fee}, paid by the ${intent.feePayer}` : fee);
  }
  if ('expiresAt' in intent) bound('Until', describeSecond(intent.expiresAt));
  return bounds;
}

function fromOf(lines: readonly DescriptionLine[]): string {
  const value = (name: string): string | undefined => lines.find((line) => line.name === name)?.value;
  const client = value('Client');
  return `${client === undefined ? '' : `client ${client}, `}compartment ${value('From compartment') ?? ''}`;
}

export function noticeBanner({ level, title, text, compared }: Notice): HTMLElement {
  const made = banner(level, title, text);
  if (compared !== undefined) {
    const [asked, known] = compared;
    made.append(
      element('p', { class: 'label' }, 'In this request'),
      addressBlocks(asked, known),
      element('p', { class: 'label' }, 'The other one'),
      addressBlocks(known, asked),
    );
  }
  return made;
}

function linesOf(lines: readonly DescriptionLine[], intent: Intent): HTMLElement {
  const list = element('dl', { class: 'lines' });
  for (const { name, value } of lines) {
    const hex = /^[0-9a-f]{32,64}$/u.test(value);
    const shown = name === 'To' && 'to' in intent ? addressBlocks(intent.to) : hex ? digestBlocks(value) : value;
    list.append(element('div', {}, element('dt', {}, name), element('dd', {}, shown)));
  }
  return list;
}

function briefCard(brief: Brief, { intent, assets }: Examination): HTMLElement {
  const list = element('dl', { class: 'lines' });
  const line = (name: string, ...value: readonly (Node | string)[]): void => {
    list.append(element('div', {}, element('dt', {}, name), element('dd', {}, ...value)));
  };
  const given = brief.approvedBy.length === 0 ? 'nobody yet' : brief.approvedBy.join(', ');
  line('Approvals', `${brief.approvedBy.length} of ${brief.approvalsNeeded}: ${given}`);
  line('Requester', brief.requestNeeded ? 'must have signed as well' : 'need not sign');
  if ('amount' in intent) {
    const { rule, fees, destination } = brief;
    if (destination !== undefined) {
      const first = destination.firstUsed === undefined ? '' : `, first on ${describeSecond(destination.firstUsed)}`;
      line('Paid there before', destination.timesUsed === 0n ? 'never' : `${destination.timesUsed} times${first}`);
    }
    if (rule === undefined) line('Limit', 'no rule allows it');
    else {
      line('Limit for one', describeAmount(rule.amountMax, intent.asset, assets));
      line(
        `Left in ${describeSpan(rule.windowSeconds)}`,
        describeAmount(rule.left, intent.asset, assets),
        limitBar({ amount: intent.amount, spent: rule.spent, max: rule.windowMax }),
      );
      line('Wallet', rule.tier);
    }
    if (fees !== undefined) {
      line(
        'Fees left',
        `${describeAmount(fees.left, nativeAsset(chainOf(intent.asset)), assets)} in ${describeSpan(fees.windowSeconds)}`,
      );
    }
  }
  if (brief.refusal !== undefined) line('Signer now', `${brief.refusal.code}: ${brief.refusal.message}`);
  line('Registry', `version ${brief.registryVersion}`);
  line('Said at', describeSecond(brief.at));
  return card(
    'What the signer says',
    element('p', { class: 'hint' }, 'Signed by the signer; the server cannot change it.'),
    list,
  );
}

type Window = { readonly amount: bigint; readonly spent: bigint; readonly max: bigint };

/** Thousandths of the window: a picture needs no more. */
function limitBar({ amount, spent, max }: Window): HTMLElement {
  const part = (of: bigint): number => (max === 0n ? 1_000 : Number((of * 1_000n) / max));
  const bar = (name: string, value: number): HTMLElement => {
    const made = element('span', { class: name });
    made.style.width = `${Math.min(1_000, value) / 10}%`;
    return made;
  };
  return element(
    'span',
    { class: 'bar', 'aria-hidden': 'true' },
    bar('spent', part(spent)),
    bar('asked', part(amount)),
  );
}
