import {
  type Address,
  type AssetId,
  chainOf,
  checksumAddress,
  invariant,
  refuse,
  type Refused,
} from '@bulkhead/domain';
import type { Queries, Transaction } from '@bulkhead/postgres';
import { vaultToken } from '@bulkhead/vaults';
import type { SignedApproval } from './approval.ts';
import { assetNotAllowed, findAsset } from './asset.ts';
import { type Answer, command, notFound, type WriteCall } from './command.ts';
import type { Custody } from './custody.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';
import {
  approveDecided,
  cancelDecided,
  type Decided,
  type DecidedFilter,
  type DecidedIntent,
  decidedText,
  type DecidedText,
  type DecidedView,
  decidedViews,
  notIssued,
  someClient,
} from './vault-decided.ts';
import { createVaultDispatch, type DispatchedIntent, vaultDispatchColumns, vaultDispatchOf } from './vault-dispatch.ts';
import { vaultHistory, type VaultHistory } from './vault-event.ts';
import { findVault, takeVaultNonce, type Vault } from './vault-row.ts';

/** What makes a vault do less, at once and by the quorum alone. None of it holds up an exit. */
export type Restriction =
  | { readonly kind: 'pause' }
  | {
      readonly kind: 'limit-lowering';
      readonly asset: AssetId;
      /** Most that the window lets through from now on, base units. */
      readonly cap: bigint;
      readonly window: 'listed' | 'unlisted';
    }
  | { readonly kind: 'destination-removal'; readonly destination: Address };

const restrictions = {
  noun: 'vault restriction',
  kinds: ['vault-pause', 'vault-limit-lowering', 'vault-destination-removal'],
} as const satisfies Decided;

type RestrictionIntent = Extract<DecidedIntent, { readonly kind: (typeof restrictions.kinds)[number] }>;

function isRestriction(intent: DispatchedIntent): intent is RestrictionIntent {
  return restrictions.kinds.some((kind) => kind === intent.kind);
}

/**
 * Asks for a restriction of a vault. People of the operational quorum approve it, the quorum of the set signs it, and the house carries it;
 * a frozen compartment does not hold it up. Nothing of it can be turned round by the quorum alone.
 */
export async function requestRestriction(
  custody: Custody,
  call: WriteCall,
  { vaultId, restriction }: { readonly vaultId: string; readonly restriction: Restriction },
): Promise<Answer<RestrictionView>> {
  return command(custody, call, async (tx, now) => {
    const vault = await findVault(tx, vaultId);
    if (vault === undefined) return notFound('vault', vaultId);
    const { wallet, client = await someClient(tx, vault) } = vault;
    if (wallet === undefined || client === undefined) return notIssued(vault);
    if (restriction.kind === 'limit-lowering') {
      const { asset } = restriction;
      if (chainOf(asset) !== vault.chain || (await findAsset(tx, asset)) === undefined) return assetNotAllowed(asset);
    }
    const refused =
      withoutEffect(vault, restriction, await vaultHistory(custody, tx, vault)) ??
      (await underWay(tx, vault, restriction));
    if (refused !== undefined) return refused;
    const id = newId('vrs', now);
    const expiresAt = BigInt(Math.floor((now.getTime() + custody.policy.withdrawalTtlMs) / 1000));
    const matter = {
      deployment: custody.deployment,
      id,
      client,
      vault: vault.address,
      vaultNonce: await takeVaultNonce(tx, vault.id),
      deadline: expiresAt,
      chain: vault.chain,
      compartment: vault.compartment,
    };
    const intent = { ...matter, ...contentOf(restriction), expiresAt };
    const { name: requestedBy } = call.actor;
    await createVaultDispatch(tx, { subject: id, vault: vault.id, wallet, intent, requestedBy, now });
    await record(tx, now, { actor: call.actor, subject: id, event: 'vault-restriction-requested', data: intent });
    return restrictionView(tx, id);
  });
}

type Content = Pick<RestrictionIntent, 'kind'> & RestrictionContent;
type RestrictionContent =
  | { readonly kind: 'vault-pause' }
  | {
      readonly kind: 'vault-limit-lowering';
      readonly asset: AssetId;
      readonly cap: bigint;
      readonly window: 'listed' | 'unlisted';
    }
  | { readonly kind: 'vault-destination-removal'; readonly to: Address };

function contentOf(restriction: Restriction): Content {
  switch (restriction.kind) {
    case 'pause':
      return { kind: 'vault-pause' };
    case 'limit-lowering': {
      const { asset, cap, window } = restriction;
      return { kind: 'vault-limit-lowering', asset, cap, window };
    }
    case 'destination-removal':
      return { kind: 'vault-destination-removal', to: restriction.destination };
  }
}

/** Why the vault would not take it, or not change by it, as of the final block. */
function withoutEffect(
  vault: Vault,
  restriction: Restriction,
  { state, chainSeconds }: VaultHistory,
): Refused | undefined {
  const says = (fact: string): Refused =>
    refuse('vault/restriction-without-effect', `${fact} Look at the vault's state.`, { vault: vault.id });
  switch (restriction.kind) {
    case 'pause': {
      const until = state.pausedUntil.quorum;
      const next = until === undefined ? 0n : until + vault.terms.config.pauseSeconds;
      return chainSeconds < next
        ? says(
            `The quorum paused vault ${vault.id} until ${until}, and may pause it again from ${next} on (Unix seconds).`,
          )
        : undefined;
    }
    case 'limit-lowering': {
      const { asset, cap, window } = restriction;
      const caps = window === 'listed' ? state.limits : state.unlisted;
      const current = caps.get(vaultToken(asset)) ?? 0n;
      return cap < current
        ? undefined
        : says(
            `The window lets ${current} of ${asset} through, and ${cap} is not less. The client key raises a limit.`,
          );
    }
    case 'destination-removal': {
      const { destination } = restriction;
      const isRemoved = state.destinations.has(destination) && state.destinations.get(destination) === undefined;
      return isRemoved ? says(`${checksumAddress(destination)} is removed already.`) : undefined;
    }
  }
}

async function underWay(tx: Transaction, vault: Vault, restriction: Restriction): Promise<Refused | undefined> {
  const rows = await tx.query(
    `select ${vaultDispatchColumns} from custody.vault_dispatch where vault = $1 and kind = any ($2) and step <> 'done'`,
    [vault.id, restrictions.kinds],
  );
  const wanted = contentOf(restriction);
  // By what it does, so that the event of the vault tells which one it is.
  const same = rows
    .map(vaultDispatchOf)
    .find(({ intent }) => isRestriction(intent) && placeOf(intent) === placeOf(wanted));
  if (same === undefined) return undefined;
  return refuse(
    'vault/restriction-under-way',
    `Restriction ${same.subject} of vault ${vault.id} is about the same, and is not over.`,
    {
      vault: vault.id,
      restriction: same.subject,
    },
  );
}

function placeOf(content: RestrictionContent): string {
  switch (content.kind) {
    case 'vault-pause':
      return content.kind;
    case 'vault-limit-lowering':
      return `${content.kind} ${content.asset} ${content.window}`;
    case 'vault-destination-removal':
      return `${content.kind} ${content.to}`;
  }
}

/** Takes a person's signature over a restriction. A job tries it after each: the signers know how many are enough. */
export async function approveRestriction(
  custody: Custody,
  call: WriteCall,
  { id, approval }: SignedApproval,
): Promise<Answer<RestrictionView>> {
  return approveDecided(custody, call, { id, approval, of: restrictions, view: async (tx) => restrictionView(tx, id) });
}

/** Gives a restriction up, as {@link cancelDecided}. */
export async function cancelRestriction(
  custody: Custody,
  call: WriteCall,
  id: string,
): Promise<Answer<RestrictionView>> {
  return cancelDecided(custody, call, { id, of: restrictions, view: async (tx) => restrictionView(tx, id) });
}

export type RestrictionView = DecidedView & {
  readonly kind: Restriction['kind'];
  readonly asset: string | null;
  readonly cap: string | null;
  readonly window: 'listed' | 'unlisted' | null;
  readonly destination: string | null;
};

export async function restrictionViews(db: Queries, filter: DecidedFilter): Promise<readonly RestrictionView[]> {
  const found = await decidedViews(db, restrictions, filter);
  return found.map(({ view, intent }) => {
    invariant(isRestriction(intent), 'Something else was taken for a restriction.', { id: view.id });
    return { ...view, ...shownOf(intent) };
  });
}

async function restrictionView(db: Queries, id: string): Promise<RestrictionView> {
  const [view] = await restrictionViews(db, { id, after: null, limit: 1 });
  invariant(view !== undefined, 'A restriction that was just stored is not there.', { id });
  return view;
}

function shownOf(intent: RestrictionIntent): Omit<RestrictionView, keyof DecidedView> {
  const none = { asset: null, cap: null, window: null, destination: null };
  switch (intent.kind) {
    case 'vault-pause':
      return { ...none, kind: 'pause' };
    case 'vault-limit-lowering': {
      const { asset, cap, window } = intent;
      return { ...none, kind: 'limit-lowering', asset, cap: cap.toString(), window };
    }
    case 'vault-destination-removal':
      return { ...none, kind: 'destination-removal', destination: checksumAddress(intent.to) };
  }
}

/** What people are asked to sign, and what the signer says about it now. */
export async function restrictionText(custody: Custody, id: string): Promise<DecidedText | undefined> {
  return decidedText(custody, id, restrictions);
}
