/** Mutants that no test can notice, because the code does the same with and without them; each with the reason. */
export const equivalentMutants: readonly {
  readonly path: string;
  readonly context: string;
  readonly was: string;
  readonly became: string;
  readonly why: string;
}[] = [];
