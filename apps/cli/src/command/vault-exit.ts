import { resolve } from 'node:path';
import { type Address, checksumAddress, CustodyError, parseAddress } from '@bulkhead/domain';
import { accountOf, accountSignature, nativeToken, parseVaultEvent } from '@bulkhead/vaults';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import { type ChainQuestions, openQuestions } from '../vault/chain-questions.ts';
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
import {
  balanceOf,
  exitCall,
  exitRequestData,
  exitRequestDigest,
  freeNonce,
  type OpenCall,
  readSituation,
  requestCalls,
  silenceCalls,
  type Situation,
} from '../vault/leaving.ts';
import { relayCall } from '../vault/relay.ts';
import { readCertificate } from '../vault/vault-certificate.ts';

/** How long a signed request may wait until somebody sends it. */
export const requestSeconds: bigint = 30n * 86_400n;

const optionForms = {
  certificate: { type: 'string' },
  rpc: { type: 'string' },
  relayer: { type: 'string' },
  'relayer-passphrase-file': { type: 'string' },
  key: { type: 'string' },
  'passphrase-file': { type: 'string' },
  message: { type: 'string' },
  signature: { type: 'string' },
  token: { type: 'string', multiple: true },
  silence: { type: 'boolean' },
} as const;

type Options = ReturnType<typeof readOptions<typeof optionForms>>;

type Leaving = {
  readonly terminal: Terminal;
  readonly options: Options;
  readonly questions: ChainQuestions;
  readonly situation: Situation;
};

/** Takes what lies in a vault out of it, from its certificate and the chain alone: no custodian is asked. */
export async function vaultExit(terminal: Terminal): Promise<ExitCode> {
  const [action = '', ...words] = terminal.words;
  const options = readOptions('vault', action.startsWith('-') ? terminal.words : words, optionForms);
  const terms = readCertificate(resolve(terminal.folder, needed('vault exit', 'certificate', options.certificate)));
  const questions = openQuestions(needed('vault exit', 'rpc', options.rpc));
  const leaving = { terminal, options, questions, situation: await readSituation(questions, terms) };
  switch (action) {
    case 'status':
      return await tellStatus(leaving);
    case 'request':
      return await request(leaving);
    case 'pay':
      return await pay(leaving);
    default:
      throw new UsageError('vault exit takes status, request or pay. "bulkhead help vault" shows how.');
  }
}

async function tellStatus({ terminal, questions, situation }: Leaving): Promise<ExitCode> {
  const { vault, chain, deployed, gate, roles, time, lastHeartbeat, terms } = situation;
  terminal.out(`Vault ${checksumAddress(vault)} on ${chain}, ${deployed ? 'deployed' : 'not deployed yet'}.`);
  terminal.out(`It leaves to ${checksumAddress(roles.exitDestination)}; the exit key is ${keyText(roles.exitKey)}.`);
  terminal.out(readinessText(gate.exitReadyAt, time));
  if (lastHeartbeat !== undefined) {
    const open = lastHeartbeat + terms.config.heartbeatPeriod;
    terminal.out(
      time > open
        ? 'The custodian has been silent for so long that anybody may open the exit: vault exit request --silence.'
        : `Without a sign of the custodian anybody may open the exit after ${timeText(open)}.`,
    );
  }
  for (const token of tokensOf(situation)) {
    terminal.out(`${tokenText(token)}: ${await balanceOf(questions, vault, token)} in its smallest unit`);
  }
  return exitCodes.ok;
}

async function request(leaving: Leaving): Promise<ExitCode> {
  const { terminal, options, questions, situation } = leaving;
  if (situation.gate.exitReadyAt !== 0n) {
    terminal.out(readinessText(situation.gate.exitReadyAt, situation.time));
    return exitCodes.ok;
  }
  if (options.silence === true) return await sendAll(leaving, silenceCalls(situation));
  if (options.key === undefined && options.signature === undefined) return await askForSignature(leaving);
  const { message, signature } =
    options.key === undefined
      ? signedElsewhere(terminal, 'vault exit', options)
      : await signedHere(leaving, await freeNonce(questions, situation, 'exit'));
  return await sendAll(leaving, requestCalls(situation, message, signature));
}

async function signedHere({ terminal, options, situation }: Leaving, nonce: bigint): Promise<Signed> {
  const key = await openKey(terminal, options.key, options['passphrase-file']);
  try {
    const wanted = accountOf(situation.roles.exitKey);
    if (wanted !== key.address) {
      throw new UsageError(
        `The exit key of this vault is ${keyText(situation.roles.exitKey)}; the file has ${key.address}.`,
      );
    }
    const message = { nonce, deadline: situation.time + requestSeconds };
    return { message, signature: accountSignature(key.sign(exitRequestDigest(situation, message))) };
  } finally {
    key.close();
  }
}

/** Writes down what is to be signed elsewhere. */
async function askForSignature({ terminal, options, questions, situation }: Leaving): Promise<ExitCode> {
  const message = { nonce: await freeNonce(questions, situation, 'exit'), deadline: situation.time + requestSeconds };
  if (options.message === undefined) {
    throw new UsageError(
      'vault exit request needs --key with the exit key, or --message with a file to write what is to be signed elsewhere.',
    );
  }
  const path = writeMessage(terminal, options.message, exitRequestData(situation, message));
  terminal.out(
    `Written to ${path}. Have the exit key ${keyText(situation.roles.exitKey)} sign it (eth_signTypedData_v4; of a passkey, its digest as challenge), before ${timeText(message.deadline)}. Then: vault exit request … --message ${options.message} --signature <hex, or the file of an assertion>`,
  );
  return exitCodes.ok;
}

async function pay(leaving: Leaving): Promise<ExitCode> {
  const { options, questions, situation, terminal } = leaving;
  const { vault, gate, time } = situation;
  if (gate.exitReadyAt === 0n || gate.exitReadyAt > time) {
    throw new CustodyError('vault/refused', readinessText(gate.exitReadyAt, time));
  }
  const asked = options.token?.map((word) => (word === 'native' ? nativeToken : parseAddress(word)));
  const calls: OpenCall[] = [];
  for (const token of asked ?? tokensOf(situation)) {
    if ((await balanceOf(questions, vault, token)) > 0n) calls.push(exitCall(situation, token));
    else terminal.out(`${tokenText(token)}: nothing is there.`);
  }
  return await sendAll(leaving, calls);
}

async function sendAll(
  { terminal, options, questions, situation }: Leaving,
  calls: readonly OpenCall[],
): Promise<ExitCode> {
  if (calls.length === 0) return exitCodes.ok;
  const relayer = await openKey(terminal, options.relayer, options['relayer-passphrase-file']);
  try {
    for (const call of calls) {
      const { transaction, logs } = await relayCall(questions, relayer, call);
      terminal.out(`Sent ${call.what}: ${transaction}`);
      for (const log of logs) {
        if (log.address !== situation.vault) continue;
        const event = parseVaultEvent(hashes, log);
        if (event?.event === 'ExitRequested') {
          terminal.out(`The exit is open from ${timeText(event.readyAt)}: vault exit pay.`);
        }
        if (event?.event === 'ExitOpened') terminal.out('The exit is open: vault exit pay.');
        if (event?.event === 'Exited') {
          terminal.out(`${event.amount} of ${tokenText(event.token)} went to ${checksumAddress(event.to)}.`);
        }
      }
    }
  } finally {
    relayer.close();
  }
  return exitCodes.ok;
}

/** Tokens of the initial policy, and the native coin. */
function tokensOf({ terms }: Situation): readonly Address[] {
  return [...new Set([nativeToken, ...terms.policy.limits.map(({ token }) => token)])];
}

function readinessText(exitReadyAt: bigint, time: bigint): string {
  if (exitReadyAt === 0n) return 'No exit was asked for: vault exit request.';
  return exitReadyAt > time
    ? `The exit was asked for, and is open from ${timeText(exitReadyAt)}.`
    : `The exit has been open since ${timeText(exitReadyAt)}: vault exit pay.`;
}
