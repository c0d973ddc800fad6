import { checksumAddress, parseChainId } from '@bulkhead/domain';
import { openCustody, signHeartbeat } from '@bulkhead/server';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { openQuestions } from '../vault/chain-questions.ts';
import { openKey } from '../vault/client-signing.ts';
import { relayCall } from '../vault/relay.ts';
import { withChain } from './address.ts';

/** Has the signers show that they are there, and carries that to the signer set: without it the exits of all vaults open one day. */
export async function vaultHeartbeat(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('vault', terminal.words, {
    chain: { type: 'string' },
    relayer: { type: 'string' },
    'relayer-passphrase-file': { type: 'string' },
  });
  const chain = parseChainId(needed('vault heartbeat', 'chain', options.chain));
  const configuration = await withChain(terminal, chain);
  await using opened = await withProgress(terminal, 'opening', () => openCustody(configuration));
  const signed = await withProgress(terminal, 'asking the signers', () => signHeartbeat(opened.custody, chain));
  const { to, data, block, last, anchor } = signed;
  terminal.out(`Signed by a quorum for block ${block.number} (${block.hash}). The one before: ${timeOf(last)}.`);
  terminal.out(
    anchor === undefined
      ? 'The audit log has no checkpoint yet: it states nothing.'
      : `It states the checkpoint of the audit log of ${anchor.size} leaves: ${anchor.digest}`,
  );
  if (options.relayer === undefined) {
    terminal.out(JSON.stringify({ to, value: '0x0', data }));
    terminal.out(`Have any account send this to the signer set ${checksumAddress(to)} within a day.`);
    return exitCodes.ok;
  }
  const [url = ''] = opened.chains.get(chain)?.urls ?? [];
  const relayer = await openKey(terminal, options.relayer, options['relayer-passphrase-file']);
  try {
    const { transaction } = await withProgress(terminal, 'sending', async () =>
      relayCall(openQuestions(url), relayer, { to, data }),
    );
    terminal.out(`The signer set ${checksumAddress(to)} has it, in transaction ${transaction}.`);
  } finally {
    relayer.close();
  }
  return exitCodes.ok;
}

function timeOf(seconds: bigint): string {
  return new Date(Number(seconds) * 1_000).toISOString();
}
