/**
 * Decisions that are being prepared, and will come to the log or be refused. Nothing is decided by their number: a group of records costs the
 * same whatever its size, so it waits a moment for them.
 */
export type Arrivals = {
  /** One more is being prepared, until what is returned was called, however often. */
  expect(): () => void;
  readonly expected: () => number;
};

export function openArrivals(): Arrivals {
  let expected = 0;
  return {
    expect() {
      expected += 1;
      let open = true;
      return () => {
        if (open) expected -= 1;
        open = false;
      };
    },
    expected: () => expected,
  };
}
