import {
  type Address,
  type ChainId,
  type Compartment,
  CustodyError,
  parseAddress,
  parseChainId,
  parseCompartment,
  type SignedStatement,
} from '@bulkhead/domain';
import { bigint, dateOrNull, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import { type Hex, parseInitialPolicy, parseVaultConfig, parseWord, type VaultTerms } from '@bulkhead/vaults';
import { readState } from './state.ts';

/**
 * - `drafted`: configuration and address are known, and nobody has agreed; `agreed`: the client key signed both;
 * - `certified`: the signers vouch for it and the backup holds that; the wallet is watched, and its address is not shown;
 * - `issued`: the client acknowledged the certificate.
 */
export type VaultStep = 'drafted' | 'agreed' | 'certified' | 'issued';

export type Vault = {
  readonly id: string;
  readonly chain: ChainId;
  readonly compartment: Compartment;
  readonly client: string | undefined;
  readonly address: Address;
  readonly configHash: Hex;
  readonly terms: VaultTerms;
  readonly step: VaultStep;
  readonly agreement: Hex | undefined;
  /** The bytes that backup and client hold, and their SHA-256. */
  readonly certificateText: string | undefined;
  readonly certificateDigest: Hex | undefined;
  readonly backedUpAt: Date | undefined;
  readonly receipt: Hex | undefined;
  readonly wallet: string | undefined;
};

export const vaultColumns = `id, chain, compartment, client, address, config_hash, config::text as config, policy::text as policy, step,
  agreement, certificates, certificate_digest, backed_up_at, receipt, wallet, requested_by, created_at, updated_at`;

export function vaultOf(row: Row): Vault {
  return {
    id: text(row, 'id'),
    chain: parseChainId(text(row, 'chain')),
    compartment: parseCompartment(Number(bigint(row, 'compartment'))),
    client: textOrNull(row, 'client') ?? undefined,
    address: parseAddress(text(row, 'address')),
    configHash: parseWord(text(row, 'config_hash')),
    terms: {
      config: parseVaultConfig(readState<unknown>(text(row, 'config'))),
      policy: parseInitialPolicy(readState<unknown>(text(row, 'policy'))),
    },
    step: stepOf(text(row, 'step')),
    agreement: hexOrNone(row, 'agreement'),
    certificateText: textOrNull(row, 'certificates') ?? undefined,
    certificateDigest: hexOrNone(row, 'certificate_digest'),
    backedUpAt: dateOrNull(row, 'backed_up_at') ?? undefined,
    receipt: hexOrNone(row, 'receipt'),
    wallet: textOrNull(row, 'wallet') ?? undefined,
  };
}

function stepOf(value: string): VaultStep {
  const steps = ['drafted', 'agreed', 'certified', 'issued'] as const;
  const step = steps.find((known) => known === value);
  if (step === undefined) throw new CustodyError('invariant/broken', `"${value}" is no step of a vault.`);
  return step;
}

function hexOrNone(row: Row, name: string): Hex | undefined {
  const value = textOrNull(row, name);
  return value === null ? undefined : `0x${value.slice(2)}`;
}

/** The certificates inside the bytes that were backed up. */
export function certificatesIn(text: string): readonly SignedStatement[] {
  return readState<readonly SignedStatement[]>(text);
}

export async function findVault(db: Queries, id: string): Promise<Vault | undefined> {
  const [row] = await db.query(`select ${vaultColumns} from custody.vault where id = $1`, [id]);
  return row === undefined ? undefined : vaultOf(row);
}

export async function lockVault(tx: Transaction, id: string): Promise<Vault | undefined> {
  const [row] = await tx.query(`select ${vaultColumns} from custody.vault where id = $1 for update`, [id]);
  return row === undefined ? undefined : vaultOf(row);
}

export async function vaultOfWallet(db: Queries, wallet: string): Promise<Vault | undefined> {
  const [row] = await db.query(`select ${vaultColumns} from custody.vault where wallet = $1`, [wallet]);
  return row === undefined ? undefined : vaultOf(row);
}

/** Takes the next nonce of a vault: for one intent, for ever, whether it is ever used or not. */
export async function takeVaultNonce(tx: Transaction, id: string): Promise<bigint> {
  const rows = await tx.query(
    'update custody.vault set next_nonce = next_nonce + 1 where id = $1 returning next_nonce - 1 as nonce',
    [id],
  );
  const [row] = rows;
  if (row === undefined) throw new CustodyError('invariant/broken', `There is no vault ${id}.`);
  return bigint(row, 'nonce');
}

/** The vault of a compartment on a chain: the certified one, or the newest that is not certified yet. */
export async function compartmentVault(
  db: Queries,
  chain: ChainId,
  compartment: Compartment,
): Promise<Vault | undefined> {
  const [row] = await db.query(
    `select ${vaultColumns} from custody.vault where chain = $1 and compartment = $2 order by wallet is null, id desc limit 1`,
    [chain, compartment],
  );
  return row === undefined ? undefined : vaultOf(row);
}
