import { invariant } from '@bulkhead/domain';
import { bigint, type Queries, type Row, text, textOrNull } from '@bulkhead/postgres';
import { type FactKind, isFactKind } from '@bulkhead/tlog';

/**
 * A view of facts: `position` (place among all facts of the database), `kind`, `id`, `time_ms`, and `content` in the form of
 * spec/log.md, null where it was erased. The package that has the view numbers its facts by `ledger.next_position()` or by the
 * sequence behind it.
 */
export type FactView = `${string}.${string}`;

export type Fact = {
  readonly position: bigint;
  readonly kind: FactKind;
  readonly id: string;
  readonly timeMs: number;
  /** Undefined where it was erased. */
  readonly content: string | undefined;
};

function factOf(row: Row): Fact {
  const kind = text(row, 'kind');
  invariant(isFactKind(kind), `A fact has the kind "${kind}", which spec/log.md does not have.`);
  return {
    position: bigint(row, 'position'),
    kind,
    id: text(row, 'id'),
    timeMs: Number(bigint(row, 'time_ms')),
    content: textOrNull(row, 'content') ?? undefined,
  };
}

/** Facts of places above `after` and up to `until` of all views, in their order; not more than `limit`, from the first on. */
export async function readFacts(
  db: Queries,
  views: readonly FactView[],
  range: { readonly after: bigint; readonly until: bigint; readonly limit: number },
): Promise<readonly Fact[]> {
  const parts = views.map((view) => {
    invariant(/^[a-z]+\.[a-z]+$/u.test(view), `"${view}" is no view of facts.`);
    return `(select position, kind, id, time_ms, content from ${view} where position > $1 and position <= $2 order by position limit $3)`;
  });
  const rows = await db.query(
    `select * from (${parts.join(' union all ')}) as facts order by position limit $3`,
    [range.after, range.until, range.limit],
    { name: 'log-facts' },
  );
  return rows.map(factOf);
}
