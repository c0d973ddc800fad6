import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { listDigest, nobleHashes } from '@bulkhead/authority';
import { isMovement, parseChainId, parseIntent } from '@bulkhead/domain';
import { passkey } from '../../src/core/testing/approver.ts';
import { testDriver } from '../../src/core/testing/keys.ts';
import * as registry from '../../src/core/testing/registry.ts';
import { change, request, withdrawal, type World } from '../../src/core/testing/world.ts';
import { stateFileName } from '../../src/core/state-file.ts';
import { type Attack, acting } from './attack.ts';

const { first, shared } = registry.compartments;
const { anna, ben, olga } = registry.people;

const mallory = {
  item: 'person',
  id: 'mallory',
  name: 'Mallory',
  roles: ['approver'],
  keys: [passkey('mallory').key],
} as const;

const newClient = { item: 'client', client: 'cl_new', compartment: shared } as const;
const enrolment = { kind: 'enrolment', items: [newClient], id: 'en_new', before: 2n } as const;

const enrol = async (world: World): Promise<unknown> => world.core().change(change(world, enrolment));
const sign = async (world: World): Promise<unknown> => world.core().sign(request(world, withdrawal(world)));

/** Keeps the folder of the state as it is now, as a backup does. */
function keepCopy({ directory }: World): void {
  copyFileSync(join(directory, stateFileName), join(directory, 'copy'));
}

async function restoreCopy(world: World): Promise<void> {
  await world.stop();
  copyFileSync(join(world.directory, stateFileName), join(world.directory, 'newest'));
  copyFileSync(join(world.directory, 'copy'), join(world.directory, stateFileName));
  await world.restart();
}

async function restoreNewest(world: World): Promise<void> {
  await world.stop();
  copyFileSync(join(world.directory, 'newest'), join(world.directory, stateFileName));
  await world.restart();
}

const claim = {
  client: registry.clientOne,
  chain: registry.mainChain,
  key: { compartment: shared, index: 4 },
} as const;

export const authorityAttacks: readonly Attack[] = [
  acting('an approver added by a list of the operational quorum', 'signer/registry-list', {
    attack: async (world) => world.core().change(change(world, { ...enrolment, items: [mallory] })),
    honest: async (world) =>
      world.core().change(change(world, { ...enrolment, kind: 'policy-change', items: [mallory] })),
  }),
  acting('a change of people with one root signature', 'signer/approvals-missing', {
    attack: async (world) => {
      const asked = change(world, { ...enrolment, kind: 'policy-change', items: [mallory] });
      const approvals = [ben.approve(asked.intent), olga.approve(asked.intent)];
      return world.core().change({ ...asked, evidence: { approvals } });
    },
    honest: async (world) =>
      world.core().change(change(world, { ...enrolment, kind: 'policy-change', items: [mallory] })),
  }),
  acting('an enrolment that one person approved with two keys', 'signer/approvals-missing', {
    attack: async (world) => {
      const asked = change(world, enrolment);
      const approvals = [anna.approve(asked.intent), registry.people.annaRobot.approve(asked.intent)];
      return world.core().change({ ...asked, evidence: { approvals } });
    },
    honest: enrol,
  }),
  acting('an item changed after the list was approved', 'signer/registry-list', {
    attack: async (world) => {
      const asked = change(world, enrolment);
      return world.core().change({ ...asked, list: asked.list.replace('cl_new', 'cl_bad') });
    },
    honest: enrol,
  }),
  acting('more items than were approved', 'signer/registry-list', {
    attack: async (world) => {
      const asked = change(world, enrolment);
      const second = asked.list.split('\n')[1] ?? '';
      return world.core().change({ ...asked, list: `${asked.list}${second.replace('cl_new', 'cl_bad')}\n` });
    },
    honest: enrol,
  }),
  acting('a list whose approved digest hides how many items it has', 'signer/registry-list', {
    attack: async (world) => {
      const { intent } = change(world, enrolment);
      const two = change(world, { ...enrolment, items: [newClient, { ...newClient, client: 'cl_bad' }] });
      if (!('digest' in intent)) throw new Error('An enrolment has a digest.');
      const hidden = { ...intent, digest: listDigest(nobleHashes, two.list) };
      return world.core().change({ intent: hidden, list: two.list, evidence: world.approved(hidden) });
    },
    honest: enrol,
  }),
  acting('a list with a name twice in one item', 'signer/registry-list', {
    attack: async (world) => {
      const asked = change(world, enrolment);
      if (!('digest' in asked.intent)) throw new Error('An enrolment has a digest.');
      const list = asked.list.replace('"client":"cl_new"', '"client":"cl_bad","client":"cl_new"');
      const intent = { ...asked.intent, digest: listDigest(nobleHashes, list) };
      return world.core().change({ intent, list, evidence: world.approved(intent) });
    },
    honest: enrol,
  }),
  acting('a list for an older version of the registry', 'signer/registry-version', {
    before: enrol,
    attack: async (world) => world.core().change(change(world, { ...enrolment, id: 'en_old', before: 2n })),
    honest: async (world) => world.core().change(change(world, { ...enrolment, id: 'en_old', before: 3n })),
  }),
  acting('a list for another installation', 'signer/wrong-deployment', {
    attack: async (world) => {
      const asked = change(world, enrolment);
      const intent = { ...asked.intent, deployment: 'ee'.repeat(16) };
      return world.core().change({ ...asked, intent, evidence: world.approved(intent) });
    },
    honest: enrol,
  }),
  acting('a list that was approved too long ago', 'signer/intent-expired', {
    attack: async (world) => {
      const asked = change(world, enrolment);
      world.clock.seconds += 3_601n;
      return world.core().change(asked);
    },
    honest: enrol,
  }),
  acting('an older registry restored', 'signer/state-rewound', {
    before: async (world) => {
      keepCopy(world);
      await world.core().change(change(world, { ...enrolment, items: [{ item: 'person-suspended', person: 'dora' }] }));
      await restoreCopy(world);
    },
    attack: sign,
    honest: async (world) => {
      await restoreNewest(world);
      return sign(world);
    },
  }),
  acting('an older state restored to spend a nonce again', 'signer/state-rewound', {
    before: async (world) => {
      keepCopy(world);
      await sign(world);
      await restoreCopy(world);
    },
    attack: async (world) => world.core().sign(request(world, withdrawal(world, { id: 'wd_two' }), { nonce: 0n })),
    honest: async (world) => {
      await restoreNewest(world);
      return world.core().sign(request(world, withdrawal(world, { id: 'wd_two' }), { nonce: 1n }));
    },
  }),
  acting('a recovery where there is nothing to recover', 'signer/protocol', {
    attack: async (world) => {
      const { deployment } = registry;
      const { sequence } = await world.core().status();
      const expiresAt = world.clock.seconds + 60n;
      const intent = {
        deployment,
        kind: 'state-recovery',
        id: 'sr_one',
        sequence,
        head: '00'.repeat(32),
        expiresAt,
      } as const;
      return world.core().change({ intent, list: '', evidence: world.approved(intent) });
    },
    honest: enrol,
  }),
  acting('an address certified to a second client', 'signer/address-certified-before', {
    before: async (world) => world.core().certifyAddress(claim),
    attack: async (world) => world.core().certifyAddress({ ...claim, client: registry.clientTwo }),
    honest: async (world) => world.core().certifyAddress(claim),
  }),
  acting('an address certified to a client of another compartment', 'signer/unknown-client', {
    attack: async (world) =>
      world.core().certifyAddress({ ...claim, client: registry.clientTwo, key: { compartment: first, index: 4 } }),
    honest: async (world) =>
      world.core().certifyAddress({ ...claim, client: registry.clientOne, key: { compartment: first, index: 4 } }),
  }),
  acting('the pool of an omnibus certified as a deposit address', 'signer/unknown-wallet', {
    attack: async (world) => world.core().certifyAddress({ ...claim, key: { compartment: shared, index: 0 } }),
    honest: async (world) => world.core().certifyAddress({ ...claim, key: { compartment: shared, index: 1 } }),
  }),
  acting('an address certified on a chain that is not listed', 'signer/unknown-chain', {
    attack: async (world) => world.core().certifyAddress({ ...claim, chain: parseChainId('eip155:5') }),
    honest: async (world) => world.core().certifyAddress(claim),
  }),
  acting('one address certified to two clients at the same moment', 'signer/address-certified-before', {
    attack: async (world) => {
      const clients = [registry.clientOne, registry.clientTwo];
      const asked = clients.map(async (client) => world.core().certifyAddress({ ...claim, client }));
      await Promise.allSettled(asked);
      return Promise.all(asked);
    },
    honest: async (world) => world.core().certifyAddress(claim),
  }),
  acting('a change approved by a passkey whose count falls', 'signer/sign-count', {
    before: async (world) => {
      const { intent } = change(world, { ...enrolment, id: 'en_counted' });
      await world.core().lodge(intent, ben.approve(intent, { count: 3_000_000 }));
    },
    attack: async (world) => {
      const asked = change(world, enrolment);
      const approvals = [anna.approve(asked.intent), ben.approve(asked.intent, { count: 3_000_000 })];
      return world.core().change({ ...asked, evidence: { approvals } });
    },
    honest: async (world) => {
      const asked = change(world, enrolment);
      const approvals = [anna.approve(asked.intent), ben.approve(asked.intent, { count: 3_000_001 })];
      return world.core().change({ ...asked, evidence: { approvals } });
    },
  }),
  acting('a forged approval lodged', 'signer/approval-invalid', {
    attack: async (world) => world.core().lodge(withdrawal(world), passkey('ben', 'other').approve(withdrawal(world))),
    honest: async (world) => world.core().lodge(withdrawal(world), ben.approve(withdrawal(world))),
  }),
  acting('an approval lodged that was made for another installation', 'signer/wrong-deployment', {
    attack: async (world) => {
      const intent = withdrawal(world, { deployment: 'ee'.repeat(16) });
      return world.core().lodge(intent, ben.approve(intent));
    },
    honest: async (world) => world.core().lodge(withdrawal(world), ben.approve(withdrawal(world))),
  }),
  acting('an intent with a name twice', 'intent/malformed', {
    attack: async (world) => {
      const text = `bulkhead-intent-v1\n{"amount":"1","amount":"1000"}`;
      const intent = parseIntent(Buffer.from(text));
      return isMovement(intent) ? world.core().sign(request(world, intent)) : undefined;
    },
    honest: sign,
  }),
  acting('a transaction of a megabyte', 'signer/protocol', {
    attack: async (world) =>
      world.core().sign(request(world, withdrawal(world), { unsigned: new Uint8Array(1_048_576).fill(2) })),
    honest: sign,
  }),
  acting('a thousand approvals', 'signer/protocol', {
    attack: async (world) => {
      const intent = withdrawal(world);
      const evidence = {
        request: olga.approve(intent),
        approvals: Array.from({ length: 1_000 }, () => ben.approve(intent)),
      };
      return world.core().sign(request(world, intent, { evidence }));
    },
    honest: sign,
  }),
  acting('a list of nine megabytes', 'signer/protocol', {
    attack: async (world) => world.core().change({ ...change(world, enrolment), list: 'x'.repeat(9 * 2 ** 20) }),
    honest: enrol,
  }),
  acting('a change of the registry as a movement', 'signer/protocol', {
    attack: async (world) => {
      const { intent } = change(world, enrolment);
      // Types do not hold at run time.
      const asked = request(world, withdrawal(world));
      Object.assign(asked, { intent });
      return world.core().sign(asked);
    },
    honest: sign,
  }),
  acting('keys in software on a chain with real coins', 'signer/chain-not-development', {
    before: async (world) => world.restart({ drivers: { tree: testDriver('software') } }),
    attack: sign,
    honest: async (world) => {
      await world.restart();
      return sign(world);
    },
  }),
];
