import { type Address, type CustodyError, invariant, type KeyResidency, type SignerStatus } from '@bulkhead/domain';
import type { HeadStore, KeyDriver, SlotHealth } from '@bulkhead/keys';
import type { CoreParts } from './core-parts.ts';
import { memberKeys } from './member-keys.ts';
import type { SignerCoreOptions } from './options.ts';

/** What the signer says about itself, in every mode. A slot that does not answer is part of the answer. */
export async function statusOf(
  parts: CoreParts,
  { drivers, heads }: SignerCoreOptions,
  standstill: CustodyError | undefined,
): Promise<SignerStatus> {
  const { knowledge, log } = parts;
  const { deployment, version, hash } = knowledge.registry();
  const opened = [drivers.tree, drivers.labelled].filter((driver) => driver !== undefined);
  const health = await Promise.all([...opened.map(healthOf), ...heads.map(headHealth)]);
  const state = standstill === undefined ? [] : [{ name: 'state', healthy: false, detail: standstill.message }];
  return {
    deployment,
    residency: residencyOf(opened),
    registryVersion: version,
    registryHash: hash,
    sequence: log.covered().sequence,
    identities: knowledge.registry().identities,
    members: await membersOf(parts),
    slots: [...health.flat(), ...state],
  };
}

/** A module that does not answer is said under `slots`. */
async function membersOf({ addresses, knowledge }: CoreParts): Promise<readonly Address[]> {
  try {
    return (await memberKeys(addresses, knowledge.registry())).map(({ address }) => address);
  } catch {
    return [];
  }
}

function residencyOf([first]: readonly KeyDriver[]): KeyResidency {
  invariant(first !== undefined, 'A signer was opened without any driver of keys.');
  return first.residency;
}

async function healthOf(driver: KeyDriver): Promise<readonly SlotHealth[]> {
  try {
    return await driver.health();
  } catch (error) {
    return [{ name: driver.name, healthy: false, detail: error instanceof Error ? error.message : 'no answer' }];
  }
}

async function headHealth(store: HeadStore): Promise<readonly SlotHealth[]> {
  const name = `head in ${store.name}`;
  try {
    const head = await store.read();
    const detail = head === undefined ? 'remembers no record' : `remembers record ${head.sequence}`;
    return [
      { name, healthy: true, detail: store.protects ? detail : `${detail}; no protection against a restored copy` },
    ];
  } catch (error) {
    return [{ name, healthy: false, detail: error instanceof Error ? error.message : 'no answer' }];
  }
}
