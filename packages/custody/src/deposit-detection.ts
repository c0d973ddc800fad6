import { type ChainId, type DepositState, type Hash, invariant, type Refused } from '@bulkhead/domain';
import { bigint, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import { eventTopic, nativeToken } from '@bulkhead/vaults';
import { machine } from './custody.ts';
import { depositColumns, depositOf, type DepositStepped, stepDeposit } from './deposit-row.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';
import { hashes } from './keccak.ts';
import { movementOrder } from './movement.ts';
import { writeState } from './state.ts';

export type DetectionOrder = { readonly chain: ChainId; readonly block: Hash; readonly now: Date };

/**
 * Opens a deposit for everything in a block that reached one of our addresses, unless a transaction of ours or a fee of a vault brought it where it
 * was meant to go; what others paid in that same transaction is a deposit like any other. Zero moves nothing and opens none: anybody can write such an event about any address. Runs when a block is
 * stored and once more when it is final; what is there already is not opened twice.
 */
export async function detectDeposits(tx: Transaction, { chain, block, now }: DetectionOrder): Promise<void> {
  await restoreDeposits(tx, { chain, block, now });
  const rows = await tx.query(
    `select m.id, m.asset, m.amount, w.id as wallet, w.compartment, w.client
     from custody.movement m
     join custody.wallet w on w.chain = m.chain and w.address = m.to_address
     join custody.asset a on a.id = m.asset
     where m.chain = $1 and m.block_hash = $2 and m.removed_at is null and m.amount > 0
       and m.from_address is distinct from m.to_address
       and not exists (select from custody.deposit d where d.movement = m.id)
       -- What a forwarder sends on to its vault is the compartment's already.
       and not exists (select from custody.wallet f where f.chain = m.chain and f.address = m.from_address and f.vault = w.id)
       and not exists (select from custody.attempt t join custody.dispatch p on p.id = t.dispatch
         join custody.wallet s on s.id = p.wallet and s.address = m.from_address
         where t.hash = m.transaction_hash and p.to_wallet = w.id and p.asset = m.asset)
       -- What a delegate took from an address to the wallet that it pays is the compartment's already.
       and not (m.kind = 'token' and exists (select from custody.delegation g join custody.wallet s on s.id = g.wallet
         where g.chain = m.chain and s.address = m.from_address and g.to_wallet = w.id and g.signature is not null and g.delegate <> $4
           and not exists (select from custody.sent x where x.chain = m.chain and x.block_hash = m.block_hash
             and x.transaction_hash = m.transaction_hash and x.from_address = m.from_address)))
       -- A fee that a vault of ours paid as it was asked to, by its event with the nonce of that very fee.
       and not exists (select from custody.vault_dispatch p join custody.wallet s on s.id = p.wallet and s.address = m.from_address
         join custody.vault_event e on e.chain = m.chain and e.block_hash = m.block_hash and e.transaction_hash = m.transaction_hash
           and e.address = s.address and e.removed_at is null
         where p.kind = 'vault-fee' and p.to_wallet = w.id and p.asset = m.asset and p.amount = m.amount
           and (p.step <> 'done' or p.outcome in ('paid', 'exited'))
           and e.topics ->> 0 = $3 and substr(e.data, 67, 64) = lpad(to_hex(p.nonce::bigint), 64, '0'))
     order by ${movementOrder}`,
    [chain, block, eventTopic(hashes, 'FeeCollected'), nativeToken],
  );
  const state: DepositState = { step: 'detected' };
  for (const row of rows) {
    const id = newId('dep', now);
    const amount = bigint(row, 'amount');
    await tx.query(
      `insert into custody.deposit (id, movement, chain, compartment, wallet, asset, amount, step, client, state, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, 'detected', $8, $9, $10, $10)`,
      [
        id,
        text(row, 'id'),
        chain,
        bigint(row, 'compartment'),
        text(row, 'wallet'),
        text(row, 'asset'),
        amount,
        textOrNull(row, 'client'),
        writeState(state),
        now,
      ],
    );
    await record(tx, now, {
      actor: machine,
      subject: id,
      event: 'deposit-detected',
      data: { movement: text(row, 'id'), amount },
    });
  }
}

/** A block that came back brings its deposits back. */
async function restoreDeposits(tx: Transaction, { chain, block, now }: DetectionOrder): Promise<void> {
  const rows = await tx.query(
    `select ${depositColumns} from custody.deposit d join custody.movement m on m.id = d.movement
     where m.chain = $1 and m.block_hash = $2 and m.removed_at is null and d.step = 'removed' order by d.id for update of d`,
    [chain, block],
  );
  for (const row of rows) {
    stepped(await stepDeposit(tx, { deposit: depositOf(row), event: { type: 'restored' }, actor: machine, now }));
  }
}

/** Marks the deposits of the blocks above a height as removed. None of them is final: the fork is never below the final block. */
export async function removeDeposits(
  tx: Transaction,
  chain: ChainId,
  fork: { readonly height: bigint; readonly now: Date },
): Promise<void> {
  const rows = await tx.query(
    `select ${depositColumns} from custody.deposit d join custody.movement m on m.id = d.movement
     where m.chain = $1 and m.block_number > $2 and d.step <> 'removed' order by d.id for update of d`,
    [chain, fork.height],
  );
  for (const row of rows) {
    stepped(
      await stepDeposit(tx, { deposit: depositOf(row), event: { type: 'removed' }, actor: machine, now: fork.now }),
    );
  }
}

/** Events of machines are never refused; if one is, state and world disagree and the step must not be stored. */
export function stepped(result: DepositStepped | Refused): DepositStepped {
  invariant(result.status === 'stepped', 'An event of the chain was refused by a deposit.', {
    code: result.status === 'refused' ? result.code : '',
  });
  return result;
}
