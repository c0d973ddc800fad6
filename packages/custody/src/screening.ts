import type { ScreeningAnswer, ScreeningSubject } from '@bulkhead/domain';
import type { Custody } from './custody.ts';

/** Asks the port. A provider that fails has cleared nothing: the answer is `inconclusive`, and people decide. */
export async function askScreening(custody: Custody, subject: ScreeningSubject): Promise<ScreeningAnswer> {
  try {
    return await custody.screening.screen(subject);
  } catch (error) {
    return {
      verdict: 'inconclusive',
      provider: 'none',
      detail: error instanceof Error ? error.message.slice(0, 500) : 'The screening failed.',
    };
  }
}
