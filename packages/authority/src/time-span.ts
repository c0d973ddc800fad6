/** Seconds in the largest unit that divides them. */
export function describeSpan(seconds: bigint): string {
  for (const [name, length] of spans) {
    if (seconds >= length && seconds % length === 0n) return plural(seconds / length, name);
  }
  return plural(seconds, 'second');
}

const spans: readonly (readonly [string, bigint])[] = [
  ['day', 86_400n],
  ['hour', 3_600n],
  ['minute', 60n],
];

function plural(count: bigint, name: string): string {
  return `${count} ${name}${count === 1n ? '' : 's'}`;
}
