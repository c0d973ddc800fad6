/** A list of numbers that only grows, eight bytes each: file positions of millions of records. */
export type GrowingNumbers = {
  readonly length: number;
  push(value: number): void;
  at(index: number): number | undefined;
};

const firstCapacity = 1_024;

export function growingNumbers(): GrowingNumbers {
  let values = new Float64Array(firstCapacity);
  let length = 0;
  return {
    get length() {
      return length;
    },
    push(value) {
      if (length === values.length) {
        const larger = new Float64Array(values.length * 2);
        larger.set(values);
        values = larger;
      }
      values[length] = value;
      length += 1;
    },
    at: (index) => (index >= 0 && index < length ? values[index] : undefined),
  };
}
