import { type CanonicalObject, statementText } from '@bulkhead/authority';
import { type Compartment, CustodyError, parseCompartment, type SignedStatement } from '@bulkhead/domain';
import { type IdentityKey, openSealedSeed, openTokenIdentity, slotNames } from '@bulkhead/keys';
import { z } from 'zod';
import type { CeremonyTokens } from './ceremony-token.ts';
import { documentText, parseDocument } from './document.ts';

/** The account key of a compartment, for which both identity keys vouch: one certificate each, over the same text. */
export type CeremonyAccount = {
  readonly compartment: Compartment;
  readonly xpub: string;
  readonly certificates: readonly SignedStatement[];
};

const residency = 'hsm-sealed';

/** Derives account keys from the sealed seed, and has them certified by both slots. */
export async function certifyAccounts(of: {
  readonly tokens: CeremonyTokens;
  readonly envelope: string;
  readonly deployment: string;
  readonly compartments: readonly Compartment[];
}): Promise<readonly CeremonyAccount[]> {
  const { tokens, deployment, compartments } = of;
  await using opened = new AsyncDisposableStack();
  const keys = opened.use(
    await openSealedSeed({
      path: of.envelope,
      tokens: { hsm_slot_1: async () => tokens.hsm_slot_1, hsm_slot_2: async () => tokens.hsm_slot_2 },
    }),
  );
  const identities: IdentityKey[] = [];
  for (const slot of slotNames) identities.push(opened.use(await openTokenIdentity(tokens[slot])));
  const accounts: CeremonyAccount[] = [];
  for (const compartment of compartments) {
    const xpub = (await keys.accountXpub?.(compartment)) ?? '';
    const fields = { deployment, compartment: String(compartment), path: `m/44'/60'/${compartment}'`, xpub, residency };
    const statement = statementText('account-certificate', fields);
    const certificates: SignedStatement[] = [];
    for (const identity of identities) certificates.push(await signedBy(identity, statement));
    accounts.push({ compartment, xpub, certificates });
  }
  return accounts;
}

/** Signs the UTF-8 bytes of a text that has a header of its own. */
export async function signedBy(identity: IdentityKey, statement: string): Promise<SignedStatement> {
  const signature = await identity.sign(Buffer.from(statement, 'utf8'));
  return { statement, identity: identity.publicKey, signature: Buffer.from(signature).toString('hex') };
}

export const signedForm = z.strictObject({ statement: z.string(), identity: z.string(), signature: z.string() });
export const accountForm = z.strictObject({
  compartment: z.string().regex(/^(?:0|[1-9][0-9]{0,9})$/u),
  xpub: z.string().max(120),
  certificates: z.array(signedForm).max(8),
});
const accountsForm = z.strictObject({ accounts: z.array(accountForm) });

export function accountObject({ compartment, xpub, certificates }: CeremonyAccount): CanonicalObject {
  return { compartment: String(compartment), xpub, certificates: certificates.map((signed) => ({ ...signed })) };
}

export function accountOf(form: z.output<typeof accountForm>): CeremonyAccount {
  return { ...form, compartment: parseCompartment(Number(form.compartment)) };
}

export function accountsText(accounts: readonly CeremonyAccount[]): string {
  return documentText({ accounts: accounts.map(accountObject) });
}

/** @throws CustodyError `ceremony/damaged-bundle` */
export function parseAccounts(text: string): readonly CeremonyAccount[] {
  const parsed = accountsForm.safeParse(parseDocument(text));
  if (parsed.success) return parsed.data.accounts.map(accountOf);
  throw new CustodyError(
    'ceremony/damaged-bundle',
    'The file of certified accounts is not what the ceremony wrote. Repeat the step that makes it.',
  );
}
