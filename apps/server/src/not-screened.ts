import type { Screening } from '@bulkhead/domain';

/** The screening of a product that has none: it says so of everything, and people or a declared rule release. */
export const notScreened: Screening = {
  async screen() {
    return { verdict: 'not-screened', provider: 'none', detail: 'No provider of screening is configured.' };
  },
};
