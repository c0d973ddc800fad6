import type { CeremonyPins, CeremonyTokens, Finding, PlanSlot } from '@bulkhead/signer/ceremony';
import { openCeremonyToken } from '@bulkhead/signer/ceremony';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';

export type OpenTokens = AsyncDisposable & { readonly open: () => Promise<CeremonyTokens> };

/** Opens both tokens once; after a failure the next call tries again. */
export function tokensOf([first, second]: readonly [PlanSlot, PlanSlot], pins: CeremonyPins): OpenTokens {
  const stack = new AsyncDisposableStack();
  let tokens: CeremonyTokens | undefined;
  return {
    async open() {
      if (tokens !== undefined) return tokens;
      await using fresh = new AsyncDisposableStack();
      const one = fresh.use(await openCeremonyToken(first.name, first, pins));
      const two = fresh.use(await openCeremonyToken(second.name, second, pins));
      stack.use(fresh.move());
      tokens = { hsm_slot_1: one, hsm_slot_2: two };
      return tokens;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Each part with what is wrong with it. */
export function tellFindings(terminal: Terminal, findings: readonly Finding[]): ExitCode {
  for (const { part, faults, detail } of findings) {
    if (faults.length === 0) terminal.out(`good  ${part}: ${detail}`);
    for (const fault of faults) terminal.out(`BAD   ${part}: ${fault}`);
  }
  return findings.some(({ faults }) => faults.length > 0) ? exitCodes.found : exitCodes.ok;
}
