import { type Approval, type Evidence, type MovementIntent, nativeAsset } from '@bulkhead/domain';
import { type AssertionOptions, highS, passkey, robot, wallet } from '../../src/core/testing/approver.ts';
import * as registry from '../../src/core/testing/registry.ts';
import { change, request, withdrawal } from '../../src/core/testing/world.ts';
import { type Attack, asking } from './attack.ts';

const { anna, annaRobot, annaWallet, ben, cleo, dora, olga } = registry.people;

type Given = { readonly request?: (intent: MovementIntent) => Approval; readonly approvals: readonly Approval[] };

/** The evidence as it stands beside an attack: asked for by Olga. */
function evidence(intent: MovementIntent, { request: asks, approvals }: Given): Evidence {
  return { request: asks === undefined ? olga.approve(intent) : asks(intent), approvals };
}

type Forger = (intent: MovementIntent) => readonly Approval[];

/** Approvals that are not what they should be, for a withdrawal that is. */
function forged(name: string, approvals: Forger, code: Attack['code'] = 'signer/approval-invalid'): Attack {
  return asking(name, code, {
    attack: (world) => {
      const intent = withdrawal(world);
      return request(world, intent, { evidence: evidence(intent, { approvals: approvals(intent) }) });
    },
    honest: (world) => request(world, withdrawal(world)),
  });
}

/** A passkey's assertion with one thing wrong, beside a good approval. */
function assertion(name: string, options: (intent: MovementIntent) => AssertionOptions): Attack {
  return forged(`passkey: ${name}`, (intent) => [anna.approve(intent), ben.approve(intent, options(intent))]);
}

/** Something in the intent is changed after people have approved it. */
function altered(name: string, change: Partial<ReturnType<typeof withdrawal>>): Attack {
  return asking(`${name}, after it was approved`, 'signer/approval-invalid', {
    attack: (world) => {
      const approved = world.approved(withdrawal(world));
      return request(world, withdrawal(world, change), { evidence: approved });
    },
    honest: (world) => request(world, withdrawal(world)),
  });
}

/** Above every count that the tests come to by counting. */
const high = 1_000_000;

const otherDeployment = 'ee'.repeat(16);

export const peopleAttacks: readonly Attack[] = [
  asking('a row says approved, and no signature is there', 'signer/request-missing', {
    attack: (world) => request(world, withdrawal(world), { evidence: { approvals: [] } }),
    honest: (world) => request(world, withdrawal(world)),
  }),
  asking('approvals without the request of the requester', 'signer/request-missing', {
    attack: (world) => {
      const intent = withdrawal(world);
      return request(world, intent, { evidence: { approvals: world.approved(intent).approvals } });
    },
    honest: (world) => request(world, withdrawal(world)),
  }),
  forged('nobody approved', () => [], 'signer/approvals-missing'),
  forged('one of two approved', (intent) => [ben.approve(intent)], 'signer/approvals-missing'),
  forged(
    'one person with three keys',
    (intent) => [anna.approve(intent), annaWallet.approve(intent), annaRobot.approve(intent)],
    'signer/approvals-missing',
  ),
  forged(
    'one approval sent twice',
    (intent) => {
      const approval = ben.approve(intent);
      return [approval, approval];
    },
    'signer/approvals-missing',
  ),
  forged(
    'somebody without the role approves',
    (intent) => [ben.approve(intent), olga.approve(intent)],
    'signer/approvals-missing',
  ),
  asking('the requester approves', 'signer/approvals-missing', {
    attack: (world) => {
      const intent = withdrawal(world);
      const asks = (): Approval => annaRobot.approve(intent);
      return request(world, intent, {
        evidence: evidence(intent, { request: asks, approvals: [anna.approve(intent), ben.approve(intent)] }),
      });
    },
    honest: (world) => {
      const intent = withdrawal(world);
      const asks = (): Approval => annaRobot.approve(intent);
      return request(world, intent, {
        evidence: evidence(intent, { request: asks, approvals: [cleo.approve(intent), ben.approve(intent)] }),
      });
    },
  }),
  asking('somebody without the role requests', 'signer/person-not-entitled', {
    attack: (world) => {
      const intent = withdrawal(world);
      const approvals = [anna.approve(intent), ben.approve(intent)];
      return request(world, intent, { evidence: evidence(intent, { request: () => dora.approve(intent), approvals }) });
    },
    honest: (world) => request(world, withdrawal(world)),
  }),
  forged(
    'somebody whom the registry does not know',
    (intent) => [anna.approve(intent), robot('mallory').approve(intent)],
    'signer/person-not-entitled',
  ),
  asking('a suspended person approves', 'signer/person-not-entitled', {
    before: async (world) =>
      world.core().change(
        change(world, {
          kind: 'enrolment',
          id: 'en_suspend',
          before: 2n,
          items: [{ item: 'person-suspended', person: 'dora' }],
        }),
      ),
    attack: (world) => {
      const intent = withdrawal(world);
      const approvals = [anna.approve(intent), dora.approve(intent)];
      return request(world, intent, { evidence: evidence(intent, { approvals }) });
    },
    honest: (world) => request(world, withdrawal(world)),
  }),
  forged("Ben's signature under Cleo's name", (intent) => [
    anna.approve(intent),
    { ...ben.approve(intent), person: 'cleo' },
  ]),
  forged("a key of Anna's under Ben's name", (intent) => [
    { ...annaRobot.approve(intent), person: 'ben', key: 'passkey' },
    cleo.approve(intent),
  ]),
  forged('a passkey of the thief under the name of Ben', (intent) => [
    anna.approve(intent),
    passkey('ben', 'other').approve(intent),
  ]),
  forged('a passkey of the thief with the id of the key of Ben', (intent) => [
    anna.approve(intent),
    { ...passkey('ben', 'other').approve(intent), key: 'passkey' },
  ]),
  forged('a wallet of the thief with the id of the wallet of Cleo', (intent) => [
    ben.approve(intent),
    { ...wallet('cleo', 'other').approve(intent), key: 'wallet' },
  ]),
  forged('a robot of the thief with the id of the robot of Dora', (intent) => [
    ben.approve(intent),
    { ...robot('dora', 'other').approve(intent), key: 'robot' },
  ]),
  forged('a robot signs something else', (intent) => [ben.approve(intent), dora.approve(intent, Buffer.from('hello'))]),
  altered('destination swapped', { to: registry.thief }),
  altered('amount raised', { amount: 2n * registry.oneEther }),
  altered('fee raised', { feeMax: 2_000_000n }),
  altered('expiry put off', { expiresAt: 9_999_999_999n }),
  altered('client swapped', { client: registry.clientTwo, compartment: registry.compartments.second }),
  altered('compartment swapped', { compartment: registry.compartments.shared }),
  altered('asset swapped', { asset: registry.token }),
  altered('chain swapped', { asset: nativeAsset(registry.sideChain) }),
  altered('fee payer swapped', { feePayer: 'house' }),
  altered('kind swapped to one that goes anywhere', { kind: 'deposit-return', to: registry.thief }),
  altered('a second intent with the same approvals', { id: 'wd_two' }),
  assertion('user not verified', () => ({ flags: 0x01 })),
  assertion('user not present', () => ({ flags: 0x04 })),
  assertion('another origin', () => ({ origin: 'https://approve.example.thief.example' })),
  assertion('another relying party', () => ({ relyingParty: 'thief.example' })),
  assertion('challenge of another digest', () => ({ challenge: '00'.repeat(32) })),
  assertion('a registration, not an assertion', () => ({ type: 'webauthn.create' })),
  assertion('in a frame of another page', () => ({
    clientData: (honest) => honest.replace('"crossOrigin":false', '"crossOrigin":true'),
  })),
  assertion('a name twice in the client data', (intent) => ({
    challenge: '00'.repeat(32),
    clientData: (honest) =>
      honest.replace('{', `{"challenge":"${Buffer.from(intent.id).toString('base64url')}","type":"webauthn.get",`),
  })),
  assertion('a counter with bits of another credential', () => ({ flags: 0x45 })),
  asking('passkey: the sign count falls', 'signer/sign-count', {
    before: async (world) => {
      const intent = withdrawal(world, { id: 'wd_zero' });
      const approvals = [anna.approve(intent, { count: high }), ben.approve(intent, { count: high })];
      return world.core().sign(request(world, intent, { evidence: evidence(intent, { approvals }) }));
    },
    attack: (world) => {
      const intent = withdrawal(world);
      const approvals = [anna.approve(intent, { count: high + 1 }), ben.approve(intent, { count: high })];
      return request(world, intent, { nonce: 1n, evidence: evidence(intent, { approvals }) });
    },
    honest: (world) => {
      const intent = withdrawal(world);
      const approvals = [anna.approve(intent, { count: high + 1 }), ben.approve(intent, { count: high + 1 })];
      return request(world, intent, { nonce: 1n, evidence: evidence(intent, { approvals }) });
    },
  }),
  forged(
    'passkey: two assertions with one count',
    (intent) => [
      anna.approve(intent),
      ben.approve(intent, { count: 2 * high }),
      ben.approve(intent, { count: 2 * high, flags: 0x0d }),
    ],
    'signer/sign-count',
  ),
  forged('EIP-712: s in the upper half', (intent) => [ben.approve(intent), highS(cleo.approve(intent))]),
  forged('EIP-712: made for another deployment', (intent) => [
    ben.approve(intent),
    cleo.approve(intent, { ...intent, deployment: otherDeployment }),
  ]),
  forged('EIP-712: made for another amount', (intent) => [
    ben.approve(intent),
    cleo.approve(intent, { ...intent, amount: 1n }),
  ]),
  forged('EIP-712: v of a chain id', (intent) => {
    const honest = cleo.approve(intent);
    return [ben.approve(intent), { ...honest, signature: `${honest.signature.slice(0, 128)}25` }];
  }),
  asking('an intent that was approved in another installation', 'signer/wrong-deployment', {
    attack: (world) => request(world, withdrawal(world, { deployment: otherDeployment })),
    honest: (world) => request(world, withdrawal(world)),
  }),
];
