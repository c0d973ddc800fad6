import { resolve } from 'node:path';
import { checksumAddress, parseAddress, parseAmount } from '@bulkhead/domain';
import {
  accountOf,
  accountSignature,
  type Hex,
  type KeyRole,
  nativeToken,
  parseVaultEvent,
  type VaultSide,
} from '@bulkhead/vaults';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import { type ChainQuestions, openQuestions } from '../vault/chain-questions.ts';
import {
  changeCall,
  changeData,
  changeDigest,
  type ClientChange,
  executionOf,
  keyWord,
  type QueuedChange,
  queueOf,
} from '../vault/client-change.ts';
import {
  keyText,
  openKey,
  type Signed,
  signedElsewhere,
  timeText,
  tokenText,
  writeMessage,
} from '../vault/client-signing.ts';
import { hashes } from '../vault/examination.ts';
import { freeNonce, type OpenCall, readSituation, type Situation, vaultCall } from '../vault/leaving.ts';
import { relayCall } from '../vault/relay.ts';
import { readCertificate } from '../vault/vault-certificate.ts';
import { requestSeconds } from './vault-exit.ts';

const optionForms = {
  certificate: { type: 'string' },
  rpc: { type: 'string' },
  relayer: { type: 'string' },
  'relayer-passphrase-file': { type: 'string' },
  key: { type: 'string' },
  'passphrase-file': { type: 'string' },
  message: { type: 'string' },
  signature: { type: 'string' },
  side: { type: 'string' },
  to: { type: 'string' },
  token: { type: 'string' },
  cap: { type: 'string' },
  unlisted: { type: 'boolean' },
  'new-key': { type: 'string' },
  change: { type: 'string' },
  from: { type: 'string' },
} as const;

type Options = ReturnType<typeof readOptions<typeof optionForms>>;
type Holder = Exclude<VaultSide, 'quorum'>;
type Bounds = Signed['message'];

type Changing = {
  readonly terminal: Terminal;
  readonly options: Options;
  readonly questions: ChainQuestions;
  readonly situation: Situation;
};

/** What the client's own keys change of a vault, from its certificate and the chain alone: no custodian is asked. */
export async function vaultChange(terminal: Terminal): Promise<ExitCode> {
  const [what = '', ...words] = terminal.words;
  const options = readOptions('vault', what.startsWith('-') ? terminal.words : words, optionForms);
  if (what !== 'list' && what !== 'execute' && !Object.hasOwn(changes, what)) {
    throw new UsageError(
      `vault change takes list, execute, ${Object.keys(changes).join(', ')}. "bulkhead help vault" shows how.`,
    );
  }
  const terms = readCertificate(resolve(terminal.folder, needed('vault change', 'certificate', options.certificate)));
  const questions = openQuestions(needed('vault change', 'rpc', options.rpc));
  const changing = { terminal, options, questions, situation: await readSituation(questions, terms) };
  if (what === 'list') return await tellQueue(changing);
  if (what === 'execute') return await execute(changing);
  return await sign(changing, what);
}

type Wish = { readonly side: (options: Options) => Holder; readonly of: (options: Options, side: Holder) => Half };

/** A change without the numbers that every message ends with. */
type Half = (bounds: Bounds) => ClientChange;

const client = (): Holder => 'client';

const changes: Readonly<Record<string, Wish>> = {
  'add-destination': {
    side: client,
    of: ({ to }) => {
      const message = { to: parseAddress(needed('vault change', 'to', to)) };
      return (bounds) => ({ name: 'destinationAddition', message: { ...message, ...bounds } });
    },
  },
  'remove-destination': {
    side: sideOf,
    of: ({ to }, side) => {
      const message = { side, to: parseAddress(needed('vault change', 'to', to)) };
      return (bounds) => ({ name: 'destinationRemoval', message: { ...message, ...bounds } });
    },
  },
  'raise-limit': {
    side: client,
    of: (options) => {
      const message = limitOf(options);
      return (bounds) => ({ name: 'limitRaise', message: { ...message, ...bounds } });
    },
  },
  'lower-limit': {
    side: client,
    of: (options) => {
      const message = { side: 'client', ...limitOf(options) } as const;
      return (bounds) => ({ name: 'limitLowering', message: { ...message, ...bounds } });
    },
  },
  'exit-destination': {
    side: client,
    of: ({ to }) => {
      const message = { to: parseAddress(needed('vault change', 'to', to)) };
      return (bounds) => ({ name: 'exitDestinationChange', message: { ...message, ...bounds } });
    },
  },
  'rotate-key': {
    side: sideOf,
    of: (options, side) => {
      const role: KeyRole = side;
      const message = { side, role, newKey: keyWord(needed('vault change', 'new-key', options['new-key'])) };
      return (bounds) => ({ name: 'keyRotation', message: { ...message, ...bounds } });
    },
  },
  veto: {
    side: sideOf,
    of: ({ change }, side) => {
      const message = { side, change: changeWord(change) };
      return (bounds) => ({ name: 'veto', message: { ...message, ...bounds } });
    },
  },
  pause: {
    side: client,
    of: () => (bounds) => ({ name: 'pause', message: { side: 'client', ...bounds } }),
  },
  'cancel-exit': {
    side: () => 'exit',
    of: () => (bounds) => ({ name: 'exitCancellation', message: bounds }),
  },
};

function sideOf({ side = 'client' }: Options): Holder {
  if (side === 'client' || side === 'exit') return side;
  throw new UsageError('--side is client or exit: whose key signs.');
}

function limitOf({ token, cap, unlisted = false }: Options): {
  token: ReturnType<typeof parseAddress>;
  cap: bigint;
  unlisted: boolean;
} {
  const of = needed('vault change', 'token', token);
  return {
    token: of === 'native' ? nativeToken : parseAddress(of),
    cap: parseAmount(needed('vault change', 'cap', cap)),
    unlisted,
  };
}

function changeWord(word: string | undefined): Hex {
  const change = needed('vault change', 'change', word);
  if (/^0x[0-9a-f]{64}$/u.test(change)) return `0x${change.slice(2)}`;
  throw new UsageError('--change is 0x and 64 lower-case hex digits, as vault change list shows it.');
}

async function sign(changing: Changing, what: string): Promise<ExitCode> {
  const { options, situation } = changing;
  const wish = changes[what];
  if (wish === undefined) throw new UsageError(`${what} is no change of a vault.`);
  const side = wish.side(options);
  const half = wish.of(options, side);
  if (options.key === undefined && options.signature === undefined) {
    return await askForSignature(changing, { side, half });
  }
  const { message, signature } =
    options.key === undefined
      ? signedElsewhere(changing.terminal, 'vault change', options)
      : await signedHere(changing, { side, half });
  const data = changeCall(situation.terms.config, half(message), signature);
  return await sendAll(changing, vaultCall(situation, { what, data }));
}

type Asked = { readonly side: Holder; readonly half: Half };

async function boundsOf({ questions, situation }: Changing, side: Holder): Promise<Bounds> {
  return { nonce: await freeNonce(questions, situation, side), deadline: situation.time + requestSeconds };
}

function keyOf({ roles }: Situation, side: Holder): Hex {
  return side === 'client' ? roles.clientKey : roles.exitKey;
}

async function signedHere(changing: Changing, { side, half }: Asked): Promise<Signed> {
  const { terminal, options, situation } = changing;
  const key = await openKey(terminal, options.key, options['passphrase-file']);
  try {
    const wanted = keyOf(situation, side);
    if (accountOf(wanted) !== key.address) {
      throw new UsageError(
        `The ${side} key of this vault is ${keyText(wanted)}; the file has ${checksumAddress(key.address)}. With --side the other key signs, where it may.`,
      );
    }
    const message = await boundsOf(changing, side);
    return { message, signature: accountSignature(key.sign(changeDigest(situation, half(message)))) };
  } finally {
    key.close();
  }
}

/** Writes down what is to be signed elsewhere. */
async function askForSignature(changing: Changing, { side, half }: Asked): Promise<ExitCode> {
  const { terminal, options, situation } = changing;
  const message = await boundsOf(changing, side);
  const path = writeMessage(
    terminal,
    needed('vault change', 'key, or message', options.message),
    changeData(situation, half(message)),
  );
  terminal.out(
    `Written to ${path}. Have the ${side} key ${keyText(keyOf(situation, side))} sign it (eth_signTypedData_v4; of a passkey, its digest as challenge), before ${timeText(message.deadline)}. Then the same command again, with --signature <hex, or the file of an assertion>`,
  );
  return exitCodes.ok;
}

async function tellQueue({ terminal, options, questions, situation }: Changing): Promise<ExitCode> {
  const queue = await queueOf(questions, situation, heightOf(options));
  if (queue.length === 0) terminal.out('Nothing waits.');
  for (const item of queue) {
    const when =
      item.readyAt > situation.time ? `from ${timeText(item.readyAt)} on` : 'anybody may put it in force now';
    terminal.out(`${item.change}: ${queuedText(item)}, ${when}`);
  }
  return exitCodes.ok;
}

function queuedText(item: QueuedChange): string {
  switch (item.event) {
    case 'LimitQueued':
      return `the limit of ${tokenText(item.token)}${item.unlisted ? ' for unlisted destinations' : ''} becomes ${item.cap}`;
    case 'ExitDestinationQueued':
      return `an exit pays ${checksumAddress(item.to)}`;
    case 'KeyRotationQueued':
      return `${item.side === 'quorum' ? 'the custodian replaces' : 'the client changes'} the ${item.role} key: ${keyText(item.newKey)}`;
  }
}

function heightOf({ from = '0' }: Options): bigint {
  if (/^(?:0|[1-9][0-9]{0,15})$/u.test(from)) return BigInt(from);
  throw new UsageError('--from is the number of a block.');
}

async function execute(changing: Changing): Promise<ExitCode> {
  const { options, questions, situation } = changing;
  const change = changeWord(options.change);
  const found = (await queueOf(questions, situation, heightOf(options))).find((item) => item.change === change);
  if (found === undefined) throw new UsageError(`${change} does not wait in this vault: vault change list.`);
  return await sendAll(changing, [await executionOf(questions, situation, found)]);
}

async function sendAll(
  { terminal, options, questions, situation }: Changing,
  calls: readonly OpenCall[],
): Promise<ExitCode> {
  const relayer = await openKey(terminal, options.relayer, options['relayer-passphrase-file']);
  try {
    for (const call of calls) {
      const { transaction, logs } = await relayCall(questions, relayer, call);
      terminal.out(`Sent ${call.what}: ${transaction}`);
      for (const log of logs) {
        const event = log.address === situation.vault ? parseVaultEvent(hashes, log) : undefined;
        if (event !== undefined && 'readyAt' in event && 'change' in event) {
          terminal.out(`${event.change} waits until ${timeText(event.readyAt)}: vault change execute, by anybody.`);
        }
        if (event?.event === 'DestinationAdded') {
          terminal.out(`${checksumAddress(event.to)} is paid from ${timeText(event.activeFrom)} on.`);
        }
      }
    }
  } finally {
    relayer.close();
  }
  return exitCodes.ok;
}
