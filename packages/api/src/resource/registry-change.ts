import { z } from 'zod';
import { approverKeyCharsMax, hexBytes, personCharsMax } from './approval.ts';
import { pageQuery } from './page.ts';
import { vaultItem, vaultSystemItem } from './registry-vault.ts';
import { intentView } from './signer.ts';
import {
  addressInput,
  amountInput,
  assetInput,
  chainInput,
  compartmentInput,
  count,
  id,
  person,
  text,
  time,
} from './wire.ts';
import type { View } from './view.ts';

/** Items of one list. One approval covers all of them; who has more makes several lists. */
export const registryItemsMax = 10_000;
/** Room for a list of that many items; no other body is that long. */
export const registryBodyBytesMax: number = 8 * 1024 * 1024;

const personInput = text(personCharsMax);
const clientInput = z
  .string()
  .regex(/^[a-z]{1,16}_[0-9a-z-]{1,64}$/u, 'Expected the id of a client, cl_…')
  .meta({ example: 'cl_01931d5c-6f3a-7cc3-98c4-dc0c0c07398f' });
const bound = { client: clientInput, compartment: compartmentInput, chain: chainInput, address: addressInput };
const tier = z.enum(['hot', 'warm', 'cold']);
const personRole = z.enum(['requester', 'approver', 'operational', 'root']);
const smallCount = z.int().min(0).max(100);

const keyName = { id: text(approverKeyCharsMax) };

const approverKey = z.discriminatedUnion('kind', [
  z.strictObject({
    ...keyName,
    kind: z.literal('webauthn'),
    credential: hexBytes(1, 1_023).meta({ description: 'Credential id' }),
    publicKey: hexBytes(65).meta({ description: 'Point of P-256, uncompressed' }),
    relyingParty: text(253),
    origin: text(300),
  }),
  z.strictObject({ ...keyName, kind: z.literal('eip712'), address: addressInput }),
  z.strictObject({ ...keyName, kind: z.literal('ed25519'), publicKey: hexBytes(32) }),
]);

const rule = z.strictObject({
  kind: z.enum(['withdrawal', 'deposit-return', 'sweep', 'gas-grant', 'fee-payment', 'vault-withdrawal', 'vault-fee']),
  compartments: z.enum(['house', 'group', 'omnibus', 'individual']),
  tier,
  asset: assetInput,
  amountMax: amountInput,
  approvals: smallCount,
  windowSeconds: amountInput,
  windowMax: amountInput,
  destination: z.enum(['enrolled', 'any', 'own']),
});

/** One line of a list. The signer has the last word on all of it; here it has the right form. */
export const registryItem = z
  .discriminatedUnion('item', [
    z.strictObject({ item: z.literal('client'), client: clientInput, compartment: compartmentInput }),
    z.strictObject({ item: z.literal('destination'), ...bound, label: text(64) }),
    z.strictObject({ item: z.literal('destination-removed'), ...bound }),
    z.strictObject({ item: z.literal('person-suspended'), person: personInput }),
    z.strictObject({
      item: z.literal('chain'),
      chain: chainInput,
      development: z.boolean(),
      feeMax: amountInput,
      feeWindowSeconds: amountInput,
      feeWindowMax: amountInput,
    }),
    z.strictObject({
      item: z.literal('asset'),
      asset: assetInput,
      symbol: text(16),
      decimals: z.int().min(0).max(77),
      codeHash: z.union([hexBytes(32), z.literal('')]).meta({ description: 'Keccak-256 of the reviewed code' }),
    }),
    z.strictObject({ item: z.literal('asset-removed'), asset: assetInput }),
    z.strictObject({
      item: z.literal('wallet'),
      compartment: compartmentInput,
      key: text(64),
      tier,
      purpose: z.enum(['deposit', 'pool', 'gas', 'fees', 'treasury', 'vault-signer']),
    }),
    z.strictObject({
      item: z.literal('person'),
      id: personInput,
      name: text(64),
      roles: z.array(personRole).max(4),
      keys: z.array(approverKey).max(16),
    }),
    z.strictObject({ item: z.literal('person-removed'), person: personInput }),
    vaultSystemItem,
    vaultItem,
    z.strictObject({
      item: z.literal('proof-registry'),
      chain: chainInput,
      registry: addressInput,
      custodian: hexBytes(32).meta({ description: 'Who the contract was made for' }),
      signerSet: addressInput.meta({ description: 'Whose quorum it asks: the set of signers of the chain' }),
    }),
    z.strictObject({
      item: z.literal('identities'),
      publicKeys: z
        .array(hexBytes(32))
        .min(1)
        .max(8)
        .meta({ description: 'All Ed25519 identity keys of the signer from then on, sorted' }),
    }),
    z.strictObject({
      item: z.literal('policy'),
      coolingSeconds: amountInput,
      operationalQuorum: smallCount,
      rootQuorum: smallCount,
      rules: z.array(rule).max(1_000),
    }),
  ])
  .meta({ id: 'RegistryItem', description: "One change of the signer's registry" });

export const registryChangeKind = z.enum(['enrolment', 'policy-change']);
export const registryChangeState = z.enum(['open', 'applied', 'refused', 'expired']);

export const registryChangeInput = z.strictObject({
  kind: registryChangeKind,
  items: z.array(registryItem).min(1).max(registryItemsMax),
});

export const changeApproval = z
  .strictObject({ by: person, at: time })
  .meta({ id: 'ChangeApproval', description: 'One person agreed to the change' });

const told = {
  id: id('registryChange'),
  kind: registryChangeKind,
  before: count.meta({ description: 'Version of the registry that the list changes' }),
  itemsCount: z.int().min(1),
  listDigest: hexBytes(32).meta({ description: 'SHA-256 of the list' }),
  intentDigest: hexBytes(32).meta({ description: 'What people approve' }),
  state: registryChangeState,
  reason: z.string().nullable().meta({ description: 'What the signer said against it' }),
  requestedBy: person,
  approvals: z.array(changeApproval),
  version: count.nullable().meta({ description: 'Version that it became' }),
  expiresAt: time,
  createdAt: time,
  updatedAt: time,
} as const;

export const registryChange = z
  .strictObject(told)
  .meta({ id: 'RegistryChange', description: "A list of changes of the signer's registry, with its approvals" });

export const registryChangeDetail = z
  .strictObject({
    ...told,
    list: z.string().meta({ description: 'Canonical text of the list' }),
    intent: intentView,
  })
  .meta({ id: 'RegistryChangeDetail', description: 'A list of changes with the texts that people read and sign' });

export const registryChangeListQuery = z.strictObject({
  ...pageQuery,
  state: registryChangeState.exactOptional(),
});

export type RegistryItemInput = z.output<typeof registryItem>;
export type RegistryChangeInput = z.output<typeof registryChangeInput>;
export type RegistryChange = View<typeof registryChange>;
export type RegistryChangeDetail = View<typeof registryChangeDetail>;
export type RegistryChangeListQuery = z.output<typeof registryChangeListQuery>;
