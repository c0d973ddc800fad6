import { formatCursor, type Page, type PageInput, parseCursor } from '@bulkhead/api';
import { CustodyError } from '@bulkhead/domain';

/** How a list is read: rows after a place, and the place of each row. */
export type Listing<Row, View> = {
  readonly read: (after: string | null, limit: number) => Promise<readonly Row[]>;
  readonly place: (row: Row) => string;
  readonly view: (row: Row) => View;
};

/** One page of a list that is read in the order of its places. One row more than asked for tells whether another page follows. */
export async function pageOf<Row, View>(query: PageInput, listing: Listing<Row, View>): Promise<Page<View>> {
  const rows = await listing.read(placeIn(query), query.limit + 1);
  const shown = rows.slice(0, query.limit);
  const last = shown.at(-1);
  const more = rows.length > query.limit && last !== undefined;
  return { items: shown.map(listing.view), nextCursor: more ? formatCursor([listing.place(last)]) : null };
}

/** A page of a list that is read as a whole because it is short. Its places are ordinals. */
export async function pageOfAll<View>(query: PageInput, all: readonly View[]): Promise<Page<View>> {
  return pageOf(query, {
    read: async (after, limit) => {
      const from = after === null ? 0 : ordinal(after) + 1;
      return all.slice(from, from + limit).map((view, n) => ({ view, place: from + n }));
    },
    place: ({ place }) => String(place),
    view: ({ view }) => view,
  });
}

function placeIn(query: PageInput): string | null {
  if (query.cursor === undefined) return null;
  const [place] = parseCursor(query.cursor, 1) ?? [];
  // A place of this list is never longer than an id; what is, was written by somebody else.
  return place === undefined || place.length > 100 || place.includes('\0') ? unreadable() : place;
}

/** The place of a list whose places are numbers. */
export function ordinal(place: string): number {
  const number = /^(?:0|[1-9][0-9]{0,14})$/u.test(place) ? Number(place) : unreadable();
  return number;
}

/** As {@link ordinal}, where the numbers may grow beyond what a float counts exactly. */
export function position(place: string): bigint {
  return /^(?:0|[1-9][0-9]{0,17})$/u.test(place) ? BigInt(place) : unreadable();
}

function unreadable(): never {
  throw new CustodyError(
    'request/malformed',
    'The cursor is not one that this list gave. Pass nextCursor of an earlier page, or leave it out.',
  );
}
