import { type ChainId, type Compartment, type DecisionRecord, parseAssetId, type Segregation } from '@bulkhead/domain';
import { bigint, type Queries, type Row, text, textOrNull } from '@bulkhead/postgres';
import { certificatesForMove } from './address-certificate.ts';
import type { Custody } from './custody.ts';
import { readState } from './state.ts';
import type { Wallet } from './wallet.ts';

/** What a certificate is about. */
export type MovedClient = {
  readonly id: string;
  readonly client: string;
  readonly chain: ChainId;
  readonly model: Segregation;
  readonly from: Compartment;
  readonly to: Compartment;
};

type Order = { readonly move: MovedClient; readonly destination: Wallet; readonly now: Date };

/**
 * Everything that anybody needs to look a move up, as one text: each half with its transaction and block; the records in which the signers
 * wrote down that they granted it, with what proves them; and the certificates of the address that it went to. We sign nothing of it
 * ourselves: what it proves are the signatures of the signers inside (`bulkhead signer verify`), and the transactions on the chain.
 */
export async function moveCertificate(custody: Custody, tx: Queries, order: Order): Promise<string> {
  const { move, destination, now } = order;
  const rows = await tx.query(
    `select w.id as withdrawal, w.asset, w.amount, d.id as deposit, m.transaction_hash, m.block_number, m.block_hash, m.from_address, m.to_address
     from custody.segregation_half h join custody.withdrawal w on w.id = h.withdrawal
     join custody.deposit d on d.id = h.deposit join custody.movement m on m.id = d.movement
     where h.move = $1 order by w.id`,
    [move.id],
  );
  const halves: object[] = [];
  for (const row of rows) halves.push({ ...halfOf(row), granted: await grantsOf(tx, text(row, 'withdrawal')) });
  return JSON.stringify({
    kind: 'segregation-move',
    deployment: custody.deployment,
    move: move.id,
    client: move.client,
    chain: move.chain,
    segregation: move.model,
    fromCompartment: move.from,
    toCompartment: move.to,
    movedAt: now.toISOString(),
    halves,
    destination: { address: destination.address, ...(await certificatesForMove(tx, destination)) },
  });
}

function halfOf(row: Row): object {
  return {
    asset: parseAssetId(text(row, 'asset')),
    amount: bigint(row, 'amount').toString(),
    withdrawal: text(row, 'withdrawal'),
    deposit: text(row, 'deposit'),
    from: text(row, 'from_address'),
    to: text(row, 'to_address'),
    transaction: textOrNull(row, 'transaction_hash'),
    block: { number: bigint(row, 'block_number').toString(), hash: text(row, 'block_hash') },
  };
}

type Proven = Omit<DecisionRecord, 'sequence'> & { readonly sequence: string };

/** The records of the grant: of each signer of a vault's quorum, or of the one that has the key. */
async function grantsOf(tx: Queries, withdrawal: string): Promise<readonly Proven[]> {
  const [vault] = await tx.query(
    `select grants::text as grants from custody.vault_dispatch where subject = $1 and grants is not null`,
    [withdrawal],
  );
  if (vault !== undefined) {
    const grants = readState<readonly { readonly record: DecisionRecord }[]>(text(vault, 'grants'));
    return grants.map(({ record }) => ({ ...record, sequence: record.sequence.toString() }));
  }
  const rows = await tx.query(
    `select r.sequence, r.line, r.previous, r.following::text as following, r.head::text as head
     from custody.dispatch d join custody.signer_record r on r.stored_at >= d.created_at
       and r.stored_at <= d.updated_at and position('"digest":"' || d.intent_digest || '"' in r.line) > 0
     where d.subject = $1 order by r.sequence limit 1`,
    [withdrawal],
  );
  return rows.map((row) => ({
    sequence: bigint(row, 'sequence').toString(),
    line: text(row, 'line'),
    previous: text(row, 'previous'),
    following: readState<DecisionRecord['following']>(text(row, 'following')),
    head: readState<DecisionRecord['head']>(text(row, 'head')),
  }));
}
