import type { SignerQuorumView, SignerStandingView } from '@bulkhead/api';
import { type Address, type ChainId, checksumAddress } from '@bulkhead/domain';
import type { ConfiguredSystem } from './config-vaults.ts';
import type { ReachedSigner, ReachedSigners } from './reached-signer.ts';
import { conditionOf, type Heard, hearSigner, troublesOf } from './signer-condition.ts';

/** One of the signers, and what it said of itself just now. */
export type Standing = { readonly reached: ReachedSigner; readonly heard: Heard };

/** All signers, the one with the keys of the wallets first. */
export type Standings = readonly [Standing, ...Standing[]];

/** Asks all of them at the same time: one that is silent costs no more than its own wait. */
export async function standingsOf(reached: ReachedSigners): Promise<Standings> {
  const standing = async (one: ReachedSigner): Promise<Standing> => ({
    reached: one,
    heard: await hearSigner(one.signer),
  });
  const [first, ...others] = await Promise.all([standing(reached), Promise.all(reached.vaultSigners.map(standing))]);
  return [first, ...others.flat()];
}

/** What each signer is and does, for people and programs that watch it. */
export function standingView({ reached, heard }: Standing, [first]: Standings): SignerStandingView {
  const { name, pinned } = reached;
  const status = 'status' in heard ? heard.status : undefined;
  const troubles = troublesIn({ reached, heard }, first);
  return {
    name,
    condition: conditionOf(heard),
    reason: troubles.length === 0 ? null : troubles.join(' '),
    pinned: pinned.identities,
    residency: status?.residency ?? null,
    registryVersion: status?.registryVersion.toString() ?? null,
    registryHash: status?.registryHash ?? null,
    sequence: status?.sequence.toString() ?? null,
    identities: status?.identities ?? [],
    members: (status?.members ?? []).map(checksumAddress),
    slots: status?.slots ?? [],
  };
}

function troublesIn({ heard }: Standing, { heard: first }: Standing): readonly string[] {
  if ('silence' in heard) return [heard.silence];
  const troubles = troublesOf(heard.status);
  return 'status' in first && forked(heard.status, first.status)
    ? [
        ...troubles,
        'Its registry is another one of the same version than that of the first signer: they judge by different rules.',
      ]
    : troubles;
}

type Registered = { readonly registryVersion: bigint; readonly registryHash: string };

function forked(one: Registered, other: Registered): boolean {
  return one.registryVersion === other.registryVersion && one.registryHash !== other.registryHash;
}

/** A quorum as it stands now; its heartbeats are in the database. */
export type QuorumStanding = Omit<SignerQuorumView, 'heartbeat'>;

/** Whether as many signers as the set of a chain needs would sign for its vaults now. A key counts once, whoever has it. */
export function quorumView(chain: ChainId, system: ConfiguredSystem, standings: Standings): QuorumStanding {
  const { signerSet, members, threshold } = system;
  const signing = new Set(standings.flatMap(({ heard }) => membersNow(heard)).filter((one) => members.includes(one)));
  return {
    chain,
    signerSet: checksumAddress(signerSet),
    threshold: Number(threshold),
    members: members.map((member) => ({ address: checksumAddress(member), signing: signing.has(member) })),
    signing: signing.size,
    sufficient: BigInt(signing.size) >= threshold,
  };
}

function membersNow(heard: Heard): readonly Address[] {
  return 'status' in heard && conditionOf(heard) === 'signing' ? (heard.status.members ?? []) : [];
}

export function quorumViews({ vaultSystems }: ReachedSigners, standings: Standings): readonly QuorumStanding[] {
  return [...vaultSystems].map(([chain, system]) => quorumView(chain, system, standings));
}

/**
 * What waits for signers that are away, in sentences for people. None of it is a reason to take requests away from this process:
 * deposits, books and API go on without any signer.
 */
export function waitingReasons(reached: ReachedSigners, standings: Standings): readonly string[] {
  const [first, ...others] = standings;
  const wallets =
    'silence' in first.heard ? [`Withdrawals wait: ${first.heard.silence}`] : troublesOf(first.heard.status);
  const short = quorumViews(reached, standings)
    .filter(({ sufficient }) => !sufficient)
    .map(
      ({ chain, signing, threshold }) =>
        `Vaults of ${chain} pay nothing: ${signing} of their signers would sign now, and ${threshold} must.`,
    );
  const rest = others.flatMap((one) => {
    const troubles = troublesIn(one, first);
    return troubles.length === 0 ? [] : [`${capital(one.reached.name)}: ${troubles.join(' ')}`];
  });
  return [...wallets, ...short, ...rest];
}

function capital(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}
