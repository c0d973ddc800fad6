/**
 * Workflow states, and answers to commands, in JSON. Amounts are bigint in memory and `{"$bigint":"…"}` in the column; undefined fields are left out.
 * Columns beside the state (step, wallet, …) repeat what SQL needs to find rows; the state decides.
 */
export function writeState(state: object): string {
  return JSON.stringify(state, (_key, value: unknown) =>
    typeof value === 'bigint' ? { $bigint: value.toString() } : value,
  );
}

/** The inverse of {@link writeState}. Only this package writes these columns, so the shape is the one that was written. */
export function readState<State>(json: string): State {
  return JSON.parse(json, (_key, value: unknown) => {
    if (typeof value === 'object' && value !== null && '$bigint' in value && typeof value.$bigint === 'string') {
      return BigInt(value.$bigint);
    }
    return value;
  }) as State;
}
