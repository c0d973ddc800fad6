import type { SignerRefusal } from '@bulkhead/authority';
import { CustodyError } from '@bulkhead/domain';
import type { Committer } from './commit.ts';
import type { SteadyTime } from './time.ts';

/** What was refused, for the record: who and which, by name and digest. The content would make refusals the cheapest way to fill the disk. */
export type Refused = {
  readonly request:
    | 'sign'
    | 'sign-vault'
    | 'sign-reserves'
    | 'sign-control'
    | 'sign-checkpoint'
    | 'lodge'
    | 'change'
    | 'certify';
  readonly about: Readonly<Record<string, string>>;
};

export type Refusals = {
  /**
   * Runs a decision, and writes down its refusal before anybody learns of it. What is no refusal (a module that does not answer)
   * passes as it is.
   *
   * @throws CustodyError the refusal, or `signer/too-many-refusals` where the log has taken enough of them for now
   */
  recorded<T>(refused: Refused, decision: () => Promise<T>): Promise<T>;
};

/** Messages quote what was asked; the log keeps the beginning. */
export const refusalCharactersMax: number = 200;

export function openRefusals(parts: {
  readonly committer: Committer;
  readonly time: SteadyTime;
  readonly perMinuteMax: number;
}): Refusals {
  const { committer, time, perMinuteMax } = parts;
  let minute = 0n;
  let count = 0;

  const write = async ({ request, about }: Refused, error: CustodyError): Promise<void> => {
    const at = time.now();
    if (at / 60n !== minute) {
      minute = at / 60n;
      count = 0;
    }
    count += 1;
    if (count > perMinuteMax) {
      throw new CustodyError(
        'signer/too-many-refusals',
        `${perMinuteMax} refusals were written down in this minute, and the log takes no more of them until the next. This one was ${error.code}. Somebody asks for what is not allowed, again and again: find out who.`,
        { cause: error, details: { refusal: error.code } },
      );
    }
    const message = error.message.slice(0, refusalCharactersMax).toWellFormed();
    // What was asked can hold half a character, which has no form in the log and would take the whole group down with it.
    const asked = Object.fromEntries(Object.entries(about).map(([name, text]) => [name, text.toWellFormed()]));
    await committer.commit({ type: 'refused', at, fields: { ...asked, request, code: error.code, message } });
  };

  return {
    async recorded(refused, decision) {
      try {
        return await decision();
      } catch (error) {
        if (error instanceof CustodyError && isRefusal(error)) await write(refused, error);
        throw error;
      }
    },
  };
}

/** States of the signer itself are no judgement about a request. */
const noJudgement: ReadonlySet<string> = new Set([
  'signer/not-ready',
  'signer/other-signer-active',
  'signer/state-damaged',
  'signer/state-rewound',
  'signer/too-many-refusals',
  'signer/unavailable',
]);

function isRefusal({ code }: CustodyError): boolean {
  return code.startsWith('signer/') && !noJudgement.has(code);
}

export function refusalError({ code, message, details }: SignerRefusal): CustodyError {
  return new CustodyError(code, message, { details });
}
