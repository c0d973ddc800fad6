import type { Pins } from '@bulkhead/verifier';
import {
  addressOf,
  amountOf,
  chainOf,
  codeHashOf,
  compartmentOf,
  countOf,
  decimalsOf,
  deploymentOf,
  excludedOf,
  holderOf,
  hoursOf,
  identitiesOf,
  logKeyOf,
  nodesOf,
  registryOf,
  tokenOf,
  witnessesOf,
} from './pin-reading.ts';
import type { PinName, PinTexts } from './pin-name.ts';

export type PinGroup = 'chain' | 'you' | 'signers' | 'log' | 'auditors';

export const groupTitles: Readonly<Record<PinGroup, string>> = {
  chain: 'Where the proof is pinned',
  you: 'You',
  signers: 'Who signs for the custodian',
  log: 'The audit log',
  auditors: 'For auditors',
};

export type PinField = {
  readonly group: PinGroup;
  readonly label: string;
  /** What to type. */
  readonly hint: string;
  /** Where somebody finds it who has never heard of it. */
  readonly where: string;
  readonly example: string;
  /** Lines of the field; `half` is one line that stands beside another field where there is room. */
  readonly size: 'half' | 'line' | 'lines';
  /**
   * Adds what was typed to what was read out of the fields before it. It speaks of its own text alone: what is wrong with another one is
   * said there.
   *
   * @throws CustodyError for a text that cannot be meant
   */
  add(to: Pins, text: string, all: PinTexts): Pins;
};

const neverFromTheFile =
  'Do not copy it out of what you are checking: whoever makes up a file makes up what stands in it.';

/** Fields that a certificate must have exactly so. */
function expecting(pins: Pins, name: string, value: string): Pins {
  return { ...pins, expected: { ...pins.expected, [name]: value } };
}

/** A field that pins nothing by itself; here only for what is wrong with it. */
function readAlong(check: (text: string) => unknown): PinField['add'] {
  return (pins, text) => {
    check(text);
    return pins;
  };
}

export const pinFields: Readonly<Record<PinName, PinField>> = {
  registry: {
    group: 'chain',
    label: 'Registry of proofs',
    hint: 'Chain and address of the contract in which the custodian publishes its proofs.',
    where: `It stands in your agreement with the custodian, or in its auditor’s report. ${neverFromTheFile}`,
    example: 'eip155:1:0x…',
    size: 'line',
    add: (pins, text) => ({ ...pins, registry: registryOf(text) }),
  },
  codeHash: {
    group: 'chain',
    label: 'Hash of the registry’s code',
    hint: 'With it the page knows that the registry keeps the rules that were reviewed.',
    where: 'Published with each release of the software, or named by an auditor: 0x and 64 digits.',
    example: '0x…',
    size: 'line',
    add: (pins, text) => {
      const codeHash = codeHashOf(text);
      return pins.registry === undefined ? pins : { ...pins, registry: { ...pins.registry, codeHash } };
    },
  },
  nodes: {
    group: 'chain',
    label: 'Nodes of the chain',
    hint: 'One address a line. Two of different people are better than one: then neither can fool you alone.',
    where:
      'A node keeps a copy of the chain. Run one, or take public ones: lists of them are easy to find. It must let web pages ask it, and answer “eth_getProof”.',
    example: 'https://…',
    size: 'lines',
    add: readAlong(nodesOf),
  },
  client: {
    group: 'you',
    label: 'Your client id',
    hint: 'The id under which the custodian keeps your books, exactly as it is written.',
    where: 'On your statements and in your agreement. You had it before this proof was made.',
    example: 'cl_…',
    size: 'half',
    add: (pins, text) => {
      holderOf(text);
      return expecting(pins, 'client', text);
    },
  },
  compartment: {
    group: 'you',
    label: 'Number of your compartment',
    hint: 'From 100000 on it is yours alone; from 10000 to 99999 it is a pool with other clients.',
    where: 'On your statements and in your agreement: it names the ring-fence that your assets are in.',
    example: '100042',
    size: 'half',
    add: (pins, text) => {
      const compartment = compartmentOf(text);
      const client = pins.expected?.['client'];
      const own = client === undefined ? {} : { own: { compartment, holder: holderOf(client) } };
      return { ...expecting(pins, 'compartment', `${compartment}`), ...own };
    },
  },
  amount: {
    group: 'you',
    label: 'Your balance at that time',
    hint: 'What you know of your own balance at the time of the proof, with a point before the decimals.',
    where: 'From your own books, or a statement of that time. If the proof counts another, the page says so.',
    example: '12.5',
    size: 'half',
    add: (pins, text, { decimals }) => {
      const amount = amountOf(text, decimals);
      return pins.own === undefined || amount === undefined ? pins : { ...pins, own: { ...pins.own, amount } };
    },
  },
  decimals: {
    group: 'you',
    label: 'Digits after the point',
    hint: 'How many the asset has: 18 for ether and most tokens, 6 for most dollar tokens.',
    where: 'Every block explorer shows it for a token as “decimals”.',
    example: '18',
    size: 'half',
    add: readAlong(decimalsOf),
  },
  address: {
    group: 'you',
    label: 'The address that you were given',
    hint: 'The certificate must be about exactly this one.',
    where: 'Copy it from where you would send coins to: the page or the letter that told you.',
    example: '0x…',
    size: 'line',
    add: (pins, text) => expecting(pins, 'address', addressOf(text)),
  },
  identities: {
    group: 'signers',
    label: 'Identity keys of the signers',
    hint: 'Those whose word about addresses counts: 64 digits each, one a line.',
    where: `They were made at a ceremony with witnesses; its record has them, and your agreement may. ${neverFromTheFile}`,
    example: '64 digits, 0 to 9 and a to f',
    size: 'lines',
    add: (pins, text) => ({ ...pins, identities: identitiesOf(text) }),
  },
  chain: {
    group: 'signers',
    label: 'Chain',
    hint: 'Ethereum is eip155:1.',
    where: 'It is the chain on which you would pay to the address.',
    example: 'eip155:1',
    size: 'half',
    add: (pins, text) => expecting(pins, 'chain', chainOf(text)),
  },
  deployment: {
    group: 'signers',
    label: 'Id of the installation',
    hint: '32 digits: a custodian may run several.',
    where: 'In the record of the ceremony, beside the identity keys.',
    example: '32 digits',
    size: 'half',
    add: (pins, text) => expecting(pins, 'deployment', deploymentOf(text)),
  },
  logKey: {
    group: 'log',
    label: 'Key of the audit log',
    hint: 'One text with two plus signs: name, id and key.',
    where: `The custodian publishes it once, with the address of its log. ${neverFromTheFile}`,
    example: 'log.custodian.example+a1b2c3d4+A…',
    size: 'line',
    add: (pins, text) => ({ ...pins, log: { key: logKeyOf(text), witnesses: [], witnessesMin: 0 } }),
  },
  witnesses: {
    group: 'log',
    label: 'Keys of witnesses',
    hint: 'Others who watch the log, one key a line. Against a log that forks only they help.',
    where: 'Each witness publishes its own; a custodian says which ones watch its log.',
    example: 'witness.example+a1b2c3d4+B…',
    size: 'lines',
    add: (pins, text) => {
      const witnesses = witnessesOf(text);
      const witnessesMin = witnesses.length;
      return pins.log === undefined ? pins : { ...pins, log: { ...pins.log, witnesses, witnessesMin } };
    },
  },
  witnessesMin: {
    group: 'log',
    label: 'How many of them must have cosigned',
    hint: 'All of them where you say nothing.',
    where: 'That is for you to decide.',
    example: '2',
    size: 'half',
    add: (pins, text) => {
      const witnessesMin = countOf(text, pins.log?.witnesses.length ?? 0);
      return pins.log === undefined ? pins : { ...pins, log: { ...pins.log, witnessesMin } };
    },
  },
  token: {
    group: 'auditors',
    label: 'Where the token keeps balances',
    hint: 'Its address and the slot, as in 0x…=9 (of a contract in Vyper 0x…=9:vyper); behind it the hash of its code if you have it.',
    where:
      'From the storage layout of the token’s source. A wrong slot shows wrong balances, so it is not taken from the proof.',
    example: '0x…=9',
    size: 'line',
    add: (pins, text) => ({ ...pins, tokens: [tokenOf(text)] }),
  },
  excluded: {
    group: 'auditors',
    label: 'Addresses that must not be counted',
    hint: 'The custodian’s own, and those that other custodians show as theirs; one a line.',
    where: 'From the custodian’s books, and from the proofs of other custodians.',
    example: '0x…',
    size: 'lines',
    add: (pins, text) => ({ ...pins, excluded: excludedOf(text) }),
  },
  hours: {
    group: 'auditors',
    label: 'Hours after which a proof is too old',
    hint: 'The registry has a rule of its own; this is yours.',
    where: 'That is for you to decide.',
    example: '48',
    size: 'half',
    add: (pins, text) => ({ ...pins, staleAfterSeconds: hoursOf(text) }),
  },
};
