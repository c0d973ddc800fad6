import { parseArgs } from 'node:util';
import { reproduction, runWorld } from './run.ts';

/** `npm run sim -- --seed 7 --steps 2000 --seeds 20`: plays worlds from their seeds, one after the other, until one is wrong. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      seeds: { type: 'string', default: '1' },
      steps: { type: 'string', default: '400' },
      'check-every': { type: 'string' },
    },
  });
  const first = Number(values.seed);
  const every = values['check-every'] === undefined ? {} : { checkEvery: Number(values['check-every']) };
  for (let seed = first; seed < first + Number(values.seeds); seed++) {
    const run = { seed, steps: Number(values.steps), ...every };
    const started = performance.now();
    try {
      const tally = await runWorld(run);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(
        `seed ${seed}: ${run.steps} steps in ${seconds} s. ${[...tally].map(([what, times]) => `${what} ${times}`).join(', ')}`,
      );
    } catch (error) {
      console.error(error);
      console.error(`FAILED: ${reproduction(run)}`);
      process.exitCode = 1;
      return;
    }
  }
}

await main();
