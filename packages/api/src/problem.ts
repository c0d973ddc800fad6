import type { FaultDetails } from '@bulkhead/domain';
import { z } from 'zod';
import type { CatalogueRow } from './catalogue.ts';
import { faultOf } from './resource/wire.ts';
import { statusOf } from './status.ts';
import type { ProblemCode } from './status.ts';

export const problemMediaType = 'application/problem+json';
/** More objections than these help nobody. */
export const problemErrorsMax = 50;
const keyCharsShown = 100;

const detailValue = z.union([z.string(), z.number(), z.boolean()]);

export const problem = z
  .strictObject({
    type: z.string().meta({ description: 'Where the code is explained, relative to this server' }),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().meta({ description: 'The fact, the values and what to do' }),
    code: z.string().meta({ description: 'Stable, for programs', example: 'withdrawal/insufficient-funds' }),
    instance: z.string().meta({ description: 'This one request, as the log names it' }),
    details: z.record(z.string(), detailValue).exactOptional(),
    errors: z
      .array(
        z.strictObject({
          in: z.enum(['path', 'query', 'body', 'header']),
          pointer: z.string().meta({ description: 'RFC 6901 pointer to the value at fault', example: '/amount' }),
          detail: z.string(),
          code: z.string().exactOptional(),
        }),
      )
      .exactOptional(),
  })
  .meta({ id: 'Problem', description: 'Problem document of RFC 9457' });

export type Problem = z.output<typeof problem>;
/** One objection to a request that cannot be read. */
export type Objection = NonNullable<Problem['errors']>[number];

/** What went wrong, before it is written as a document. */
export type Fact = {
  readonly code: ProblemCode;
  readonly message: string;
  readonly details?: FaultDetails;
  readonly errors?: readonly Objection[];
};

/** Writes a fact as the document a caller gets. */
export function problemDocument(fact: Fact, requestId: string, row: CatalogueRow | undefined): Problem {
  const details = fact.details ?? {};
  return {
    type: `/problems/${fact.code}`,
    title: row?.meaning ?? fact.code,
    status: statusOf[fact.code],
    detail: fact.message.toWellFormed(),
    code: fact.code,
    instance: `urn:uuid:${requestId}`,
    ...(Object.keys(details).length === 0 ? {} : { details: { ...details } }),
    ...(fact.errors === undefined ? {} : { errors: fact.errors.slice(0, problemErrorsMax) }),
  };
}

/** The objections behind what a schema found, each with the place of its value. */
export function objections(
  place: Objection['in'],
  issues: readonly z.core.$ZodIssue[],
  at: readonly PropertyKey[] = [],
): Objection[] {
  return issues.flatMap((issue): Objection[] => {
    const path = [...at, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        in: place,
        pointer: pointer([...path, key]),
        detail: 'There is no such field.',
      }));
    }
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      // The alternative that fits best is the one that was meant.
      const [best = []] = issue.errors.toSorted((a, b) => a.length - b.length);
      return objections(place, best, path);
    }
    const code = faultOf(issue);
    return [{ in: place, pointer: pointer(path), detail: issue.message, ...(code === undefined ? {} : { code }) }];
  });
}

/** RFC 6901. Names come from strangers: they are shortened and made well-formed. */
function pointer(path: readonly PropertyKey[]): string {
  return path
    .map((key) => {
      const name = String(key);
      const shown = name.length > keyCharsShown ? `${name.slice(0, keyCharsShown)}…` : name;
      return `/${shown.toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1')}`;
    })
    .join('');
}
