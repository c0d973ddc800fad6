import { requestSetChange, setChangeViews, signerSetNow } from '@bulkhead/custody';
import { type Address, type ChainId, checksumAddress, parseAddress, parseChainId } from '@bulkhead/domain';
import { type OpenedCustody, openCustody } from '@bulkhead/server';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { byHand, doneOr, withChain } from './address.ts';

/** Changes that are shown, the newest ones. */
const shownMax = 20;

/** Shows who is in the set of signers of a chain, or asks for others. What follows is approved by people and carried by the server. */
export async function vaultSigners(terminal: Terminal): Promise<ExitCode> {
  const [what = '', ...words] = terminal.words;
  if (what !== 'show' && what !== 'propose') {
    throw new UsageError('vault signers takes show or propose. "bulkhead help vault" shows how.');
  }
  const options = readOptions('vault', words, {
    chain: { type: 'string' },
    member: { type: 'string', multiple: true },
    threshold: { type: 'string' },
  });
  const chain = parseChainId(needed('vault signers', 'chain', options.chain));
  const set =
    what === 'show' ? undefined : setOf(options.member ?? [], needed('vault signers', 'threshold', options.threshold));
  const configuration = await withChain(terminal, chain);
  await using opened = await withProgress(terminal, 'opening', () => openCustody(configuration));
  return set === undefined ? await show(terminal, opened, chain) : await propose(terminal, opened, { chain, ...set });
}

type Set = { readonly members: readonly Address[]; readonly threshold: bigint };

/** The members of a command line, ascending, and how many of them sign. */
export function setOf(words: readonly string[], threshold: string): Set {
  if (words.length === 0) throw new UsageError('The set of signers needs --member, once for each signer.');
  const members = words.map((word) => parseAddress(word)).toSorted();
  if (new Set(members).size < members.length) throw new UsageError('A --member stands twice: one signer counts once.');
  if (!/^[1-9][0-9]{0,8}$/u.test(threshold)) throw new UsageError('--threshold needs a whole number above 0.');
  if (BigInt(threshold) > BigInt(members.length)) {
    throw new UsageError('--threshold is above the number of members: they could never sign. Lower it, or name all.');
  }
  return { members, threshold: BigInt(threshold) };
}

async function show(terminal: Terminal, { custody }: OpenedCustody, chain: ChainId): Promise<ExitCode> {
  const system = custody.vaults?.systems.get(chain);
  if (system === undefined) {
    terminal.err(`bulkhead: There are no vaults on ${chain}, and so no set of signers.`);
    return exitCodes.found;
  }
  const { members, threshold } = await signerSetNow(custody.db, chain, system);
  terminal.out(`Set of signers ${checksumAddress(system.signerSet)}, ${threshold} of:`);
  for (const member of members) terminal.out(`  ${checksumAddress(member)}`);
  const changes = await setChangeViews(custody, custody.db, { after: null, limit: 200 });
  for (const change of changes.slice(-shownMax)) {
    terminal.out(
      `${change.id}, version ${change.number}: ${change.threshold} of ${change.members.join(', ')}; ${change.state}${change.reason === null ? '' : `: ${change.reason}`}`,
    );
    for (const { chain: on, state, activeFrom, reason } of change.chains) {
      terminal.out(
        `  ${on}: ${state}${activeFrom === null ? '' : ` (from ${activeFrom})`}${reason === null ? '' : `: ${reason}`}`,
      );
    }
  }
  return exitCodes.ok;
}

async function propose(
  terminal: Terminal,
  { custody }: OpenedCustody,
  wanted: Set & { readonly chain: ChainId },
): Promise<ExitCode> {
  const change = doneOr(terminal, await requestSetChange(custody, byHand('vault signers'), wanted));
  if (change === undefined) return exitCodes.found;
  terminal.out(
    `${change.id}: version ${change.number} of ${change.signerSet} waits for the root quorum until ${change.expiresAt}.`,
  );
  terminal.out(`Its people sign GET /v1/signer-set-changes/${change.id}/intent, digest ${change.intentDigest}.`);
  return exitCodes.ok;
}
