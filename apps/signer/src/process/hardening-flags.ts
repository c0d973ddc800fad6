/** Options that Node must run with, each of them and word for word. `launch.ts` and the unit file pass them. */
export const hardeningFlags: readonly string[] = [
  '--permission',
  '--jitless',
  '--disallow-code-generation-from-strings',
  '--disable-proto=delete',
  '--disable-sigusr1',
];
