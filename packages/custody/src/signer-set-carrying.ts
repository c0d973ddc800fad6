import { type ChainId, CustodyError, houseGas, parseChainId } from '@bulkhead/domain';
import { text } from '@bulkhead/postgres';
import { callData, signerSetCalls } from '@bulkhead/vaults';
import { type Custody, machine } from './custody.ts';
import { record } from './journal.ts';
import { hashes } from './keccak.ts';
import {
  lookAtSignerSet,
  noteSignerSet,
  type SignedSetChange,
  signedSetChange,
  type SignerSetLook,
  signerSetStandings,
} from './signer-set.ts';
import { vaultsOn } from './vault-chain.ts';
import { failedRelays, orderRelay, relayObjection } from './vault-relay.ts';
import { failedRelaysMax } from './vault-sending.ts';
import { wakeWaiting } from './waking.ts';

/**
 * The job `keep-signer-set`: looks which versions the contract of a chain has, and carries the change that comes next where it lacks one
 * that was signed. So a chain that is added later, or was away, comes up to date by itself, change after change. Safe to run twice, at
 * once, or after a crash at any line: what a final block has decides, whoever carried it.
 */
export async function keepSignerSet(custody: Custody, id: string): Promise<void> {
  const chain = parseChainId(id);
  const found = vaultsOn(custody, chain);
  if (found === undefined) return;
  const { signerSet } = found.system;
  const look = await lookAtSignerSet(custody, chain, signerSet);
  if (!(await noted(custody, look))) return;
  const next = await signedSetChange(custody.db, signerSet, look.newest.number + 1n);
  await waits(custody, chain, next === undefined ? undefined : await carry(custody, look, next));
}

/**
 * Stores what was seen, unless something newer was: a source that is behind shows the past, where those who have left would sign and what
 * was carried would be carried again.
 */
async function noted({ db, clock }: Custody, look: SignerSetLook): Promise<boolean> {
  const { chain, signerSet, current, newest } = look;
  return db.transaction(async (tx) => {
    // Locked, so that of two looks at once the older one does not come last.
    await tx.query('select from custody.signer_set_standing where chain = $1 for update', [chain]);
    const before = (await signerSetStandings(tx, signerSet)).find((one) => one.chain === chain);
    if (before !== undefined && (current < before.current || newest.number < before.newest)) return false;
    await noteSignerSet(tx, look, clock.now());
    if (before === undefined || current === before.current) return true;
    const data = { signerSet, number: current };
    await record(tx, clock.now(), { actor: machine, subject: chain, event: 'signer-set-changed', data });
    await wakeWaiting(tx, { chain });
    // Commit point: another set is in force here, and what waited for it is tried again. A crash before finds it at the next look.
    return true;
  });
}

/** Has the house carry a change, unless that is under way. Says why it is not. */
async function carry(
  custody: Custody,
  { chain, signerSet }: SignerSetLook,
  { id, number, members, threshold, ...signatures }: SignedSetChange,
): Promise<string | undefined> {
  const [running] = await custody.db.query(
    `select id from custody.dispatch where relays = $1 and cargo = 'set-change' and chain = $2 and step <> 'done' limit 1`,
    [id, chain],
  );
  if (running !== undefined) return undefined;
  const change = { number, members, threshold };
  const call = { to: signerSet, data: callData(hashes, signerSetCalls.changeSet, { change, ...signatures }) };
  const objection = await objectionTo(custody, chain, call);
  if (objection !== undefined) return objection;
  return custody.db.transaction(async (tx) => {
    // Locked, so that of two runs at once one orders and the other finds it.
    await tx.query('select from custody.signer_set_change where id = $1 for update', [id]);
    const failed = await failedRelays(tx, { relays: id, cargo: 'set-change', chain });
    if (failed >= failedRelaysMax) {
      return `It was relayed ${failed} times and failed on the chain each time: look at the transactions, and at whether the signer set is the configured one.`;
    }
    const order = { relays: id, carries: id, cargo: 'set-change', beneficiary: houseGas, chain, call } as const;
    return orderRelay(custody, tx, { ...order, now: custody.clock.now() });
  });
}

async function objectionTo(
  custody: Custody,
  chain: ChainId,
  call: Parameters<typeof relayObjection>[1]['call'],
): Promise<string | undefined> {
  try {
    return await relayObjection(custody, { chain, call });
  } catch (error) {
    if (error instanceof CustodyError && error.code === 'wallet/address-mismatch') return error.message;
    throw error;
  }
}

async function waits({ db }: Custody, chain: ChainId, reason: string | undefined): Promise<void> {
  await db.query(
    `update custody.signer_set_standing set waiting_reason = $2 where chain = $1 and waiting_reason is distinct from $2`,
    [chain, reason ?? null],
  );
}

/** Chains on which a change that was signed is not in force yet. */
export async function chainsBehind({ db }: Custody): Promise<readonly ChainId[]> {
  const rows = await db.query(
    `select s.chain from custody.signer_set_standing s
     where s.current_number < (select max(c.number) from custody.signer_set_change c where c.signer_set = s.signer_set and c.step = 'signed')
     order by s.chain`,
  );
  return rows.map((row) => parseChainId(text(row, 'chain')));
}
