import { type AgreementExamination, type Examination, markedDigits, type Notice } from '@bulkhead/approve';
import { type Brief, describeAmount, describeItem, describeSecond, describeSpan } from '@bulkhead/authority';
import { type Address, checksumAddress } from '@bulkhead/domain';

const nameColumns = 24;
const blockDigits = 4;

/** What a person reads at the terminal before signing: the same facts as on the page. */
export function describeExamination(examination: Examination): readonly string[] {
  const { lines, intent, digest, brief, items, notices, assets } = examination;
  const counts = new Map<string, number>();
  for (const { item } of items ?? []) counts.set(item, (counts.get(item) ?? 0) + 1);
  return [
    ...lines.map(({ name, value }) => named(name, name === 'To' && 'to' in intent ? blocks(intent.to) : value)),
    ...(brief === undefined ? [] : briefLines(brief, examination)),
    ...(items === undefined
      ? []
      : ['', `The list: ${[...counts].map(([kind, count]) => `${count} ${kind}`).join(', ')}`]),
    ...(items ?? []).flatMap((item, at) => {
      const [first = '', ...rest] = describeItem(item, assets);
      return [`  ${at + 1}. ${first}`, ...rest.map((line) => `     ${line}`)];
    }),
    '',
    ...notices.flatMap(noticeLines),
    named('Digest', digest),
  ];
}

/** The terms of a vault, term by term, with what is unusual about them. */
export function describeAgreement({ lines, notices, digest }: AgreementExamination): readonly string[] {
  const columns = Math.max(...lines.map(({ name }) => name.length));
  return [
    ...lines.map(({ name, value }) => `${name.padEnd(columns)} ${value}`),
    '',
    ...notices.flatMap(noticeLines),
    `${'Digest, which the key of the client signs'.padEnd(columns)} ${digest}`,
  ];
}

function briefLines(brief: Brief, { intent, assets }: Examination): readonly string[] {
  const { rule, fees, destination, approvedBy } = brief;
  const said = ['', `The signer says (${describeSecond(brief.at)}, registry version ${brief.registryVersion})`];
  const given = approvedBy.length === 0 ? 'nobody yet' : approvedBy.join(', ');
  said.push(named('Approvals', `${approvedBy.length} of ${brief.approvalsNeeded}: ${given}`));
  said.push(named('Requester', brief.requestNeeded ? 'must have signed as well' : 'need not sign'));
  if ('amount' in intent) {
    if (destination?.label !== undefined) said.push(named('Enrolled as', `"${destination.label}"`));
    if (destination !== undefined) said.push(named('Paid there before', `${destination.timesUsed} times`));
    if (rule === undefined) said.push(named('Limit', 'no rule allows it'));
    else {
      said.push(named('Limit for one', describeAmount(rule.amountMax, intent.asset, assets)));
      said.push(named(`Left in ${describeSpan(rule.windowSeconds)}`, describeAmount(rule.left, intent.asset, assets)));
    }
    if (fees !== undefined) said.push(named('Fees left', `${fees.left} wei in ${describeSpan(fees.windowSeconds)}`));
  }
  if (brief.refusal !== undefined) said.push(named('Signer now', `${brief.refusal.code}: ${brief.refusal.message}`));
  return said;
}

const marks: Readonly<Record<Notice['level'], string>> = { danger: '!! ', warning: '!  ', information: '   ' };

function noticeLines({ level, title, text, compared }: Notice): readonly string[] {
  const lines = [`${marks[level]}${level === 'danger' ? title.toUpperCase() : title}`, `   ${text}`];
  if (compared !== undefined) {
    const [asked, known] = compared;
    lines.push(`   in this request  ${blocks(asked)}`, `   the other one    ${blocks(known)}`);
    lines.push(`   differing        ${differing(asked, known)}`);
  }
  return [...lines, ''];
}

function named(name: string, value: string): string {
  return `${name.padEnd(nameColumns)} ${value}`;
}

function blocks(address: Address): string {
  return `0x ${spaced(checksumAddress(address).slice(2))}`;
}

function differing(address: Address, other: Address): string {
  return `   ${spaced(
    markedDigits(address, other)
      .map(({ differs }) => (differs ? '^' : ' '))
      .join(''),
  )}`.trimEnd();
}

function spaced(text: string): string {
  const parts: string[] = [];
  for (let at = 0; at < text.length; at += blockDigits) parts.push(text.slice(at, at + blockDigits));
  return parts.join(' ');
}

/** A line without what would move the cursor or turn the text around: those characters are written out. */
export function plain(line: string): string {
  return line.replaceAll(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`,
  );
}
