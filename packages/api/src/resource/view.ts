import type { z } from 'zod';

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** What a schema of a view describes: JSON that nobody changes once it is made. */
export type View<Schema extends z.ZodType> = DeepReadonly<z.output<Schema>>;
