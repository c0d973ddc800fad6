import { z } from 'zod';

/** Most items one page carries. */
export const pageItemsMax = 200;
/** Items of a page when nobody says. */
export const pageItemsDefault = 50;
/** A cursor is opaque to callers; this bounds what we are willing to read back. */
export const cursorCharsMax = 512;

const limitWrong = `Expected a whole number from 1 to ${pageItemsMax}.`;

/** What every list takes: at most `limit` items, after the place that `cursor` names. */
export const pageQuery = {
  limit: z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/u, limitWrong)
    .transform(Number)
    .pipe(z.number().max(pageItemsMax, limitWrong))
    .default(pageItemsDefault)
    .meta({ description: `Items per page, 1 to ${pageItemsMax}`, example: '50' }),
  cursor: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/u, 'Expected a cursor as an earlier page gave it.')
    .max(cursorCharsMax)
    .exactOptional()
    .meta({ description: '`nextCursor` of the page before' }),
};

export type PageInput = { readonly limit: number; readonly cursor?: string };

/** One page of a list. `nextCursor` is null on the last one. */
export type Page<View> = { readonly items: readonly View[]; readonly nextCursor: string | null };

export function page<View extends z.ZodType>(
  item: View,
): z.ZodObject<{ items: z.ZodArray<View>; nextCursor: z.ZodNullable<z.ZodString> }> {
  return z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() });
}

/**
 * Writes the place where a page ended as a cursor: the sort keys of its last item. Base64url of a JSON array, so that the keys
 * can be anything; callers must not look inside.
 */
export function formatCursor(keys: readonly string[]): string {
  return Buffer.from(JSON.stringify(keys), 'utf8').toString('base64url');
}

/** Reads a cursor back, or undefined when {@link formatCursor} did not write it with this many keys. */
export function parseCursor(cursor: string, keysCount: number): readonly string[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  const keys = z.array(z.string()).length(keysCount).safeParse(value);
  return keys.success && formatCursor(keys.data) === cursor ? keys.data : undefined;
}
