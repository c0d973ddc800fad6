import { lookForUnseen, reconciliationLines, requestReconciliation } from '@bulkhead/custody';
import { parseChainId } from '@bulkhead/domain';
import { openCustody } from '@bulkhead/server';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { byHand, doneOr, withChain } from './address.ts';

/** Lines that differ which are printed; the API has the rest. */
const linesShownMax = 200;

export async function reconcile(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('reconcile', terminal.words, { chain: { type: 'string' } });
  const chain = parseChainId(needed('reconcile', 'chain', options.chain));
  const configuration = await withChain(terminal, chain);
  await using opened = await withProgress(terminal, 'opening', () => openCustody(configuration));
  const { custody } = opened;
  const answer = await withProgress(terminal, 'reconciling', async () => {
    await lookForUnseen(custody, chain);
    return requestReconciliation(custody, byHand('reconcile'), { chain });
  });
  const view = doneOr(terminal, answer);
  if (view === undefined) return exitCodes.found;
  terminal.out(
    `${chain} at block ${view.block.number} (${view.block.hash}), by ${view.sources.join(', ')}: ${view.walletsCount} wallets, ${view.linesCount} lines.`,
  );
  const differing = await reconciliationLines(custody.db, {
    reconciliationId: view.id,
    breaks: true,
    after: 0,
    limit: linesShownMax,
  });
  for (const { line } of differing) {
    terminal.out(
      `${line.breakType ?? 'break'}: compartment ${line.compartment}, ${line.address}, ${line.asset}: books ${line.books}, chain ${line.onChain}, difference ${line.difference} (${line.breakId ?? ''})`,
    );
  }
  terminal.out(
    view.breaksCount === 0
      ? 'Books and chain agree.'
      : `${view.breaksCount} differences; see /v1/breaks for who works on them.`,
  );
  return view.breaksCount === 0 ? exitCodes.ok : exitCodes.found;
}
