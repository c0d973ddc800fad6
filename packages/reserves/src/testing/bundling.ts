import { readFileSync } from 'node:fs';
import { FakeChain } from '@bulkhead/fakes';
import { openDatabase } from '@bulkhead/postgres';
import { bundleEpoch } from '../bundle.ts';

/** A maker of its own process, to be killed: database, folder, context and file of the master secret. */
const [url = '', folder = '', context = '', masterFile = ''] = process.argv.slice(2);

await using db = openDatabase({ url });
const maker = {
  db,
  chain: new FakeChain(),
  async *wallets() {
    // Everything was read before.
  },
  master: Uint8Array.from(readFileSync(masterFile)),
  folder,
  clock: { now: () => new Date() },
  threads: 1,
  tell: ({ phase, done }: { readonly phase: string; readonly done: number }) =>
    process.stdout.write(`${phase} ${done}\n`),
};
await bundleEpoch(maker, Uint8Array.from(Buffer.from(context, 'hex')), {
  balances: { form: 'account' },
  wallet: async ({ held: { address } }) => ({
    wallets: [{ address, certificate: undefined, sort: 'key', signature: undefined }],
    certificates: [],
  }),
  statements: async () => [new Uint8Array(65).fill(1)],
});
