import { applyList, emptyRegistry } from '@bulkhead/authority';
import { CustodyError, type DecisionRecord } from '@bulkhead/domain';
import { assertAgreed } from './client-signatures.ts';
import { openCommitter } from './commit.ts';
import { openStateLog } from './log.ts';
import type { CreateStateOptions } from './options.ts';
import { slotsOf } from './slots.ts';
import { openStateFile } from './state-file.ts';
import { steadyTime } from './time.ts';

/**
 * Writes the first record of a new signer: deployment, identity keys and first registry, as the ceremony has decided them. Every
 * head store takes part.
 *
 * A crash on the way leaves nothing, or a torn record that the next attempt must find removed, or a whole one that no slot knows
 * yet: the first start takes that over.
 *
 * @throws CustodyError `signer/state-exists` where a state or a head is already there, `signer/registry-list`
 */
export async function createState(options: CreateStateOptions): Promise<DecisionRecord> {
  const { hashes, heads, identities, genesis } = options;
  const time = steadyTime({ clock: options.clock, floor: () => 0n });
  const at = time.now();
  const opening = { list: genesis.list, now: at, authority: 'opening' } as const;
  const registry = applyList(
    hashes,
    emptyRegistry(
      genesis.deployment,
      identities.map(({ publicKey }) => publicKey),
    ),
    opening,
  );
  assertAgreed(hashes, registry, genesis.list);
  await using file = await (options.openFile ?? openStateFile)(options.stateDirectory);
  const { log } = await openStateLog({ file, hashes, onRecord: () => undefined });
  if ((await file.size()) > 0) throw exists(`${options.stateDirectory} holds the state of a signer`);
  for (const store of heads) {
    const head = await store.read();
    // To write over it would be the very rewind that the slot is there to notice.
    if (head !== undefined) throw exists(`slot ${store.name} remembers record ${head.sequence} of a signer`);
  }
  const slots = slotsOf(log, { stores: heads, required: heads.length });
  const { deployment } = genesis;
  const committer = openCommitter(
    { log, slots, identities: () => identities, deployment, onRecord: () => undefined },
    0n,
  );
  return await committer.commit({
    type: 'opened',
    at,
    fields: {
      deployment,
      identities: identities.map(({ publicKey }) => publicKey),
      list: genesis.list,
      registryHash: registry.hash,
    },
  });
}

function exists(fact: string): CustodyError {
  return new CustodyError(
    'signer/state-exists',
    `A new signer cannot begin here: ${fact}. Take an empty folder and tokens that served no signer, or remove what is there by hand once nothing depends on it.`,
  );
}
