import {
  type DepositEvent,
  type Refused,
  type ScreeningSubject,
  invariant,
  kindOf,
  parseAddress,
  refuse,
} from '@bulkhead/domain';
import { type Queries, textOrNull, type Transaction } from '@bulkhead/postgres';
import { postAll } from './books.ts';
import { compartmentOf, findClient, lockClient } from './client.ts';
import { type Answer, type WriteCall, command, notFound } from './command.ts';
import { type Custody, machine } from './custody.ts';
import { type DepositRow, findDeposit, lockDeposit, stepDeposit } from './deposit-row.ts';
import { type DepositView, depositView } from './deposit-view.ts';
import { stepped } from './deposit-detection.ts';
import { record } from './journal.ts';
import { askScreening } from './screening.ts';
import { codeBreak, unreviewedCode } from './token-code.ts';

type PersonStep = {
  readonly id: string;
  readonly event: DepositEvent;
  /** What has to hold beside the state of the deposit. */
  readonly allowed?: (tx: Transaction, deposit: DepositRow) => Promise<Refused | undefined>;
};

/** One step that a person asks for. State, journal, transfers and the answer are stored together or not at all. */
async function decideAs(
  custody: Custody,
  call: WriteCall,
  { id, event, allowed }: PersonStep,
): Promise<Answer<DepositView>> {
  return command(custody, call, async (tx, now) => {
    const deposit = await lockDeposit(tx, id);
    if (deposit === undefined) return notFound('deposit', id);
    const refused = await allowed?.(tx, deposit);
    if (refused !== undefined) return refused;
    const result = await stepDeposit(tx, { deposit, event, actor: call.actor, now });
    if (result.status === 'refused') return result;
    await postAll(tx, result.transfers, now);
    const view = await depositView(tx, id);
    invariant(view !== undefined, 'A deposit that was just changed is not there.', { id });
    return view;
  });
}

/** Releases a deposit that screening did not clear. The first person proposes, a second one releases. */
export async function releaseDeposit(custody: Custody, call: WriteCall, id: string): Promise<Answer<DepositView>> {
  const allowed = (tx: Transaction, deposit: DepositRow): Promise<Refused | undefined> =>
    unreviewedCode(tx, deposit.terms.asset);
  return decideAs(custody, call, { id, event: { type: 'release-asked', by: call.actor.name }, allowed });
}

/** Keeps a deposit in quarantine until two people release it or it is sent back. */
export async function freezeDeposit(custody: Custody, call: WriteCall, id: string): Promise<Answer<DepositView>> {
  return decideAs(custody, call, { id, event: { type: 'freeze-asked', by: call.actor.name } });
}

/**
 * Says whose a deposit in suspense is. The first person proposes, a second one confirms the same client; the value then passes
 * through quarantine and screening as any deposit. It stays in the compartment whose address received it, so the client must
 * have claims there.
 */
export async function assignDeposit(
  custody: Custody,
  call: WriteCall,
  input: { readonly id: string; readonly clientId: string },
): Promise<Answer<DepositView>> {
  const event = { type: 'assignment-asked', by: call.actor.name, client: input.clientId } as const;
  const allowed = (tx: Transaction, deposit: DepositRow): Promise<Refused | undefined> =>
    belongsThere(tx, deposit, input.clientId);
  return decideAs(custody, call, { id: input.id, event, allowed });
}

async function belongsThere(tx: Transaction, deposit: DepositRow, client: string): Promise<Refused | undefined> {
  if ((await findClient(tx, client)) === undefined) return notFound('client', client);
  const { compartment } = deposit.terms;
  // Withdrawals are paid from the compartment of the model that counts now: a claim elsewhere could never be used.
  await lockClient(tx, client);
  if ((await compartmentOf(tx, client, deposit.chain)) === compartment) return undefined;
  return refuse(
    'compartment/wrong-kind',
    `Deposit ${deposit.terms.id} reached compartment ${compartment} (${kindOf(compartment)}), and client ${client} has no claims there. Value stays with the compartment that received it: name a client of that compartment.`,
    { compartment, client },
  );
}

/**
 * Screens a final deposit and acts on the verdict. Runs as a job after the deposit was booked; twice is harmless, a deposit that
 * people have moved on meanwhile is left alone. The port is asked outside of any transaction; if it fails, nobody has cleared
 * the deposit, and it waits for people.
 */
export async function screenDeposit(custody: Custody, id: string): Promise<void> {
  const deposit = await findDeposit(custody.db, id);
  if (deposit === undefined || deposit.state.step !== 'final' || deposit.state.verdict !== undefined) return;
  const answer = await askScreening(custody, await screeningSubject(custody.db, deposit));
  const now = custody.clock.now();
  await custody.db.transaction(async (tx) => {
    const locked = await lockDeposit(tx, id);
    invariant(locked !== undefined, 'A deposit that was there is gone.', { id });
    if (locked.state.step !== 'final' || locked.state.verdict !== undefined) return;
    // Without a verdict it stays in quarantine; the look that finds the reviewed code again asks for its screening.
    if ((await codeBreak(tx, locked.terms.asset)) !== undefined) return;
    const event = {
      type: 'screened',
      verdict: answer.verdict,
      ruleReleases: custody.policy.releaseUnscreenedDeposits,
    } as const;
    const { transfers } = stepped(await stepDeposit(tx, { deposit: locked, event, actor: machine, now }));
    await record(tx, now, { actor: machine, subject: id, event: 'screening-answered', data: answer });
    // The verdict commits with the release it causes. A crash before it leaves an unscreened deposit, and the job asks again.
    await postAll(tx, transfers, now);
  });
}

async function screeningSubject(db: Queries, deposit: DepositRow): Promise<ScreeningSubject> {
  const [row] = await db.query('select from_address from custody.movement where id = $1', [deposit.movement]);
  const from = row === undefined ? null : textOrNull(row, 'from_address');
  return {
    direction: 'in',
    asset: deposit.terms.asset,
    amount: deposit.state.credited ?? deposit.terms.amount,
    ...(from === null ? {} : { counterparty: parseAddress(from) }),
    reference: deposit.terms.id,
  };
}
