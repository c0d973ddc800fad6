import {
  chainNumber,
  type Compartment,
  CustodyError,
  kindOf,
  parseAddress,
  parseChainId,
  parseCompartment,
  parseDecimal,
} from '@bulkhead/domain';
import type { PinnedRegistry } from '@bulkhead/verifier';

/** What a reader knows from elsewhere, and holds what is shown against. */
export type Pins = {
  readonly registry?: PinnedRegistry;
  readonly client?: string;
  readonly compartment?: Compartment;
  /** In the asset's smallest unit. */
  readonly amount?: bigint;
  /** Addresses of nodes of the chain. */
  readonly nodes?: readonly string[];
};

/** In the order in which they are asked for. */
export const pinNames = ['registry', 'codeHash', 'client', 'compartment', 'amount', 'decimals', 'nodes'] as const;

export type PinName = (typeof pinNames)[number];

/** What people typed, by field. */
export type PinTexts = Readonly<Partial<Record<PinName, string>>>;

export type PinField = {
  readonly name: PinName;
  readonly label: string;
  /** What to type. */
  readonly hint: string;
  /** Where somebody finds it who has never heard of it. */
  readonly where: string;
  readonly example: string;
  readonly lines: number;
  readonly optional: boolean;
  /** Whether it stands beside another one where there is room. */
  readonly half: boolean;
  /** @throws CustodyError for a text that cannot be meant */
  read(text: string, all: PinTexts): Pins;
};

const neverFromTheFile =
  'Do not copy it out of the file that you are checking: whoever makes up a file makes up what stands in it.';

export const pinFields: Readonly<Record<PinName, PinField>> = {
  registry: {
    name: 'registry',
    label: 'Registry of proofs',
    hint: 'Chain and address of the contract in which the custodian publishes its proofs.',
    where: `It stands in your agreement with the custodian, or in its auditor’s report. ${neverFromTheFile}`,
    example: 'eip155:1:0x…',
    lines: 1,
    optional: false,
    half: false,
    read: (text, { codeHash }) => ({ registry: registryOf(text, codeHash ?? '') }),
  },
  codeHash: {
    name: 'codeHash',
    label: 'Hash of the registry’s code',
    hint: 'With it the page knows that the registry keeps the rules that were reviewed.',
    where: 'Published with each release of the software, or named by an auditor: 0x and 64 digits.',
    example: '0x…',
    lines: 1,
    optional: true,
    half: false,
    // Read with the registry that it is of.
    read: () => ({}),
  },
  client: {
    name: 'client',
    label: 'Your client id',
    hint: 'The id under which the custodian keeps your books, exactly as it is written.',
    where: 'On your statements and in your agreement. You had it before this proof was made.',
    example: 'cl_…',
    lines: 1,
    optional: false,
    half: true,
    read: (text) => ({ client: clientOf(text) }),
  },
  compartment: {
    name: 'compartment',
    label: 'Number of your compartment',
    hint: 'From 100000 on it is yours alone; from 10000 to 99999 it is a pool with other clients.',
    where: 'On your statements and in your agreement: it names the ring-fence that your assets are in.',
    example: '100042',
    lines: 1,
    optional: false,
    half: true,
    read: (text) => ({ compartment: compartmentOf(text) }),
  },
  decimals: {
    name: 'decimals',
    label: 'Digits after the point',
    hint: 'How many the asset has: 18 for ether and most tokens, 6 for most dollar tokens.',
    where: 'Every block explorer shows it for a token as “decimals”.',
    example: '18',
    lines: 1,
    optional: false,
    half: true,
    // Read with the amount that it is of; here only for what is wrong with it.
    read: (text) => {
      decimalsOf(text);
      return {};
    },
  },
  amount: {
    name: 'amount',
    label: 'Your balance at that time',
    hint: 'What you know of your own balance at the time of the proof, with a point before the decimals.',
    where: 'From your own books, or a statement from the time of the proof. If yours differs, the check says so.',
    example: '12.5',
    lines: 1,
    optional: false,
    half: true,
    read: (text, { decimals }) => (decimals === undefined ? {} : { amount: parseDecimal(text, decimalsOf(decimals)) }),
  },
  nodes: {
    name: 'nodes',
    label: 'Nodes of the chain',
    hint: 'One address a line. Two of different people are better than one: then neither can fool you alone.',
    where:
      'A node keeps a copy of the chain. Run one, or take two public ones: lists of them are easy to find. It must let web pages ask it, and answer eth_getProof.',
    example: 'https://…',
    lines: 2,
    optional: false,
    half: false,
    read: (text) => ({ nodes: nodesOf(text) }),
  },
};

/** More than these nobody waits for. */
export const nodesMax: number = 5;

function wrong(message: string): CustodyError {
  return new CustodyError('config/invalid', message);
}

/** A CAIP-10 account. */
function registryOf(text: string, codeHash: string): PinnedRegistry {
  const [, chain = '', address = ''] = /^(eip155:[0-9]+):(0x[0-9a-fA-F]{40})$/u.exec(text) ?? [];
  if (chain === '') throw wrong('This is no chain and address, as in eip155:1:0x… with 40 digits after the 0x.');
  const pinned = {
    chain: BigInt(chainNumber(parseChainId(chain))),
    address: bytesOf(parseAddress(address)),
  };
  if (codeHash === '') return pinned;
  if (!/^0x[0-9a-fA-F]{64}$/u.test(codeHash)) throw wrong('The hash of the code is 0x and 64 hex digits.');
  return { ...pinned, codeHash: bytesOf(codeHash) };
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.slice(2).match(/../gu) ?? [], (digits) => Number.parseInt(digits, 16));
}

function clientOf(text: string): string {
  const { length } = new TextEncoder().encode(text);
  if (length >= 1 && length <= 64) return text;
  throw wrong('An id of a client has 1 to 64 characters.');
}

function compartmentOf(text: string): Compartment {
  if (!/^(?:0|[1-9][0-9]{0,9})$/u.test(text)) throw wrong('The number of a compartment is digits alone.');
  const compartment = parseCompartment(Number(text));
  if (kindOf(compartment) === 'house') {
    throw wrong(`${compartment} is a compartment of the custodian itself: no client has it.`);
  }
  return compartment;
}

function decimalsOf(text: string): number {
  if (/^[0-9]{1,2}$/u.test(text) && Number(text) <= 77) return Number(text);
  throw wrong('Give the number of digits after the point, from 0 to 77.');
}

function nodesOf(text: string): readonly string[] {
  const urls = text.split(/\s+/u).filter((word) => word !== '');
  if (urls.length > nodesMax) throw wrong(`At most ${nodesMax} nodes are asked.`);
  for (const url of urls) {
    const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: '', hostname: '' };
    const here = protocol === 'http:' && (hostname === 'localhost' || hostname === '127.0.0.1');
    if (protocol !== 'https:' && !here) {
      throw wrong(
        `“${url.slice(0, 80)}” is no address of a node that this page may ask: https://…, or http:// on this machine.`,
      );
    }
  }
  if (new Set(urls).size !== urls.length) throw wrong('The same node is there twice: that is no second opinion.');
  return urls;
}
