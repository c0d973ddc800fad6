import { type Address, type ChainId, parseAddress, parseChainId, type SignerSetMembers } from '@bulkhead/domain';
import { bigint, only, type Queries, type Row, text, textOrNull } from '@bulkhead/postgres';
import { answerOf, callData, type Hex, type SignerSetVersion, signerSetQuestions } from '@bulkhead/vaults';
import { blockTime } from './chain-time.ts';
import { chainPort } from './cursor.ts';
import type { Custody } from './custody.ts';
import { hashes } from './keccak.ts';

/** A change of a set that both sides signed: what anybody carries to a chain that lacks it. */
export type SignedSetChange = SignerSetMembers & {
  readonly id: string;
  readonly number: bigint;
  readonly quorumSignatures: Hex;
  readonly memberSignatures: Hex;
};

/** What the contract of a chain says of its versions at a final block. */
export type SignerSetLook = {
  readonly chain: ChainId;
  readonly signerSet: Address;
  readonly current: bigint;
  readonly newest: SignerSetMembers & { readonly number: bigint; readonly activeFrom: bigint };
};

export async function lookAtSignerSet(custody: Custody, chain: ChainId, signerSet: Address): Promise<SignerSetLook> {
  const port = chainPort(custody, chain);
  const { final } = await port.heads();
  const { current, newestNumber, versionAt } = signerSetQuestions;
  const read = async (data: Hex): Promise<Hex> => port.read(signerSet, data, final);
  const inForce = answerOf(current, await read(callData(hashes, current, {})));
  const number = answerOf(newestNumber, await read(callData(hashes, newestNumber, {})));
  const newest = answerOf(versionAt, await read(callData(hashes, versionAt, { number })));
  return { chain, signerSet, current: inForce.number, newest: { ...newest, number } };
}

/** Chains whose vaults have this set of signers. */
export function chainsOfSet({ vaults }: Custody, signerSet: Address): readonly ChainId[] {
  const systems = [...(vaults?.systems ?? [])];
  return systems.flatMap(([chain, system]) => (system.signerSet === signerSet ? [chain] : []));
}

export async function noteSignerSet(tx: Queries, look: SignerSetLook, now: Date): Promise<void> {
  await tx.query(
    `insert into custody.signer_set_standing (chain, signer_set, current_number, newest_number, newest_from, looked_at)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (chain) do update set signer_set = excluded.signer_set, current_number = excluded.current_number,
       newest_number = excluded.newest_number, newest_from = excluded.newest_from, looked_at = excluded.looked_at`,
    [look.chain, look.signerSet, look.current, look.newest.number, look.newest.activeFrom, now],
  );
}

/** What was seen of the versions of a chain last. */
export type SignerSetStanding = {
  readonly chain: ChainId;
  readonly current: bigint;
  readonly newest: bigint;
  readonly newestFrom: bigint;
  readonly reason: string | null;
};

export async function signerSetStandings(db: Queries, signerSet: Address): Promise<readonly SignerSetStanding[]> {
  const rows = await db.query(
    `select chain, current_number, newest_number, newest_from, waiting_reason
     from custody.signer_set_standing where signer_set = $1 order by chain`,
    [signerSet],
  );
  return rows.map((row) => ({
    chain: parseChainId(text(row, 'chain')),
    current: bigint(row, 'current_number'),
    newest: bigint(row, 'newest_number'),
    newestFrom: bigint(row, 'newest_from'),
    reason: textOrNull(row, 'waiting_reason'),
  }));
}

export async function signedSetChange(
  db: Queries,
  signerSet: Address,
  number: bigint,
): Promise<SignedSetChange | undefined> {
  const [row] = await db.query(
    `select id, number, members, threshold, quorum_signatures, member_signatures from custody.signer_set_change
     where signer_set = $1 and number = $2 and step = 'signed'`,
    [signerSet, number],
  );
  return row === undefined ? undefined : signedOf(row);
}

function signedOf(row: Row): SignedSetChange {
  const signatures = (name: string): Hex => `0x${text(row, name).slice(2)}`;
  return {
    id: text(row, 'id'),
    number: bigint(row, 'number'),
    members: memberList(text(row, 'members')),
    threshold: bigint(row, 'threshold'),
    quorumSignatures: signatures('quorum_signatures'),
    memberSignatures: signatures('member_signatures'),
  };
}

export function memberList(text: string): readonly Address[] {
  return text.split(',').map((member) => parseAddress(member));
}

/** The number of the newest change that both sides signed; 1 where there is none, which is the version of the deployment. */
export async function newestSigned(db: Queries, signerSet: Address): Promise<bigint> {
  const row = only(
    await db.query(
      `select coalesce(max(number), 1) as newest from custody.signer_set_change where signer_set = $1 and step = 'signed'`,
      [signerSet],
    ),
  );
  return bigint(row, 'newest');
}

type ConfiguredSet = SignerSetMembers & { readonly signerSet: Address };

/**
 * Who signs for the vaults of a chain now: the version that is in force there by what was seen of the contract and by the chain's time.
 * What no change made here is as the configuration has it.
 */
export async function signerSetNow(
  db: Queries,
  chain: ChainId,
  { signerSet, members, threshold }: ConfiguredSet,
): Promise<SignerSetMembers> {
  const standing = (await signerSetStandings(db, signerSet)).find((one) => one.chain === chain);
  if (standing === undefined) return { members, threshold };
  const { current, newest, newestFrom } = standing;
  const number = newestFrom <= (await blockTime(db, chain)) ? newest : current;
  return (await signedSetChange(db, signerSet, number)) ?? { members, threshold };
}

/**
 * Who must be in force on a chain beside what its contract says: the newest version that is in force on any chain. One that is behind has a
 * retired quorum, which could queue another history there.
 */
export async function expectedSet(
  db: Queries,
  { signerSet, members, threshold }: ConfiguredSet,
  found: Pick<SignerSetVersion, 'number'>,
): Promise<SignerSetMembers & { readonly number: bigint }> {
  const seen = (await signerSetStandings(db, signerSet)).map(({ current }) => current);
  const number = [found.number, ...seen].reduce((most, one) => (one > most ? one : most));
  return (await signedSetChange(db, signerSet, number)) ?? { number, members, threshold };
}
