import {
  type ChainId,
  type Compartment,
  type Refused,
  type Segregation,
  invariant,
  parseCompartment,
  refuse,
} from '@bulkhead/domain';
import {
  type Queries,
  type Row,
  type Transaction,
  bigint,
  date,
  dateOrNull,
  integer,
  only,
  text,
  textOrNull,
} from '@bulkhead/postgres';
import { type Answer, type WriteCall, command, notFound } from './command.ts';
import type { Actor, Custody } from './custody.ts';
import { newId } from './id.ts';
import { forbiddenModel } from './jurisdiction.ts';
import { record } from './journal.ts';
import { keepPersonal, recalledCommand } from './personal.ts';

/** The seven items that the custody agreement must state: MiCA (Regulation (EU) 2023/1114) article 75(1)(a) to (g). */
export type AgreementTerms = {
  readonly parties: string;
  readonly service: string;
  readonly custodyPolicy: string;
  readonly communication: string;
  readonly security: string;
  readonly fees: string;
  readonly applicableLaw: string;
  readonly signedAt: string;
};

type AgreementItem = Exclude<keyof AgreementTerms, 'signedAt'>;

/** The items are null where they were erased. */
export type AgreementView = Readonly<Record<AgreementItem, string | null>> & {
  readonly id: string;
  readonly clientId: string;
  readonly signedAt: string;
  readonly recordedBy: string;
  readonly recordedAt: string;
  readonly erasedAt: string | null;
};

export type ClientKind = 'natural' | 'legal';

export type ClientView = {
  readonly id: string;
  /** Null where it was erased. */
  readonly reference: string | null;
  readonly kind: ClientKind;
  readonly segregation: Segregation;
  /** The newest one; one that was erased is none. */
  readonly agreementId: string | null;
  readonly createdBy: string;
  readonly createdAt: string;
  /** When what names the client was destroyed, after retention. */
  readonly erasedAt: string | null;
};

export type SegregationView = {
  readonly clientId: string;
  readonly chain: string;
  readonly version: number;
  readonly segregation: Segregation;
  readonly compartment: number;
  readonly decidedBy: string;
  readonly decidedAt: string;
};

export type NewClient = {
  readonly reference: string;
  readonly kind: ClientKind;
  readonly segregation: Segregation;
  readonly agreement?: AgreementTerms;
};

const clientRows = `select c.id, n.content ->> 'reference' as reference, n.erased_at, c.kind, c.segregation, c.created_by, c.created_at,
  (select a.id from custody.agreement a join custody.personal t on t.id = a.id and t.erased_at is null
   where a.client = c.id order by a.created_at desc, a.id desc limit 1) as agreement
  from custody.client c join custody.personal n on n.id = c.id`;

function segregationOf(value: string): Segregation {
  invariant(value === 'individual' || value === 'omnibus', `"${value}" is no segregation model.`);
  return value;
}

function clientOf(row: Row): ClientView {
  const kind = text(row, 'kind');
  invariant(kind === 'natural' || kind === 'legal', `"${kind}" is no kind of client.`);
  return {
    id: text(row, 'id'),
    reference: textOrNull(row, 'reference'),
    kind,
    segregation: segregationOf(text(row, 'segregation')),
    agreementId: textOrNull(row, 'agreement'),
    createdBy: text(row, 'created_by'),
    createdAt: date(row, 'created_at').toISOString(),
    erasedAt: dateOrNull(row, 'erased_at')?.toISOString() ?? null,
  };
}

export async function findClient(tx: Queries, id: string): Promise<ClientView | undefined> {
  const [row] = await tx.query(`${clientRows} where c.id = $1`, [id]);
  return row === undefined ? undefined : clientOf(row);
}

/** Clients in the order they were created, after `after`. */
export async function listClients(
  tx: Queries,
  page: { reference?: string; after: string | null; limit: number },
): Promise<readonly ClientView[]> {
  const rows = await tx.query(
    `${clientRows} where ($1::text is null or c.id > $1)
       and ($2::text is null or n.content ? 'reference' and n.content ->> 'reference' = $2) order by c.id limit $3`,
    [page.after, page.reference ?? null, page.limit],
  );
  return rows.map(clientOf);
}

/** What is stored of an answer about a client: all but what names it. */
type KeptClient = Omit<ClientView, 'reference' | 'erasedAt'>;

async function recallClient(db: Queries, kept: KeptClient): Promise<ClientView> {
  const found = await findClient(db, kept.id);
  invariant(found !== undefined, 'A client that was taken on is not there.', { client: kept.id });
  const { reference, erasedAt } = found;
  return { ...kept, reference, erasedAt };
}

export async function createClient(custody: Custody, call: WriteCall, input: NewClient): Promise<Answer<ClientView>> {
  const work = async (tx: Transaction, now: Date): Promise<KeptClient | Refused> => {
    const { reference, kind, segregation } = input;
    const forbidden = forbiddenModel(custody, segregation);
    if (forbidden !== undefined) return forbidden;
    const id = newId('cl', now);
    await tx.query(
      'insert into custody.client (id, kind, segregation, created_by, created_at) values ($1, $2, $3, $4, $5)',
      [id, kind, segregation, call.actor.name, now],
    );
    const personal = await keepPersonal(tx, { id, client: id, content: { reference }, now });
    // The refusal is stored: it does not repeat what may name somebody.
    if (personal === undefined) {
      return refuse('client/duplicate-reference', 'A client with this reference exists already.');
    }
    await record(tx, now, {
      actor: call.actor,
      subject: id,
      event: 'client-created',
      data: { kind, segregation, personal },
    });
    if (input.agreement !== undefined) {
      await storeAgreement(tx, now, { actor: call.actor, client: id, terms: input.agreement });
    }
    const client = await findClient(tx, id);
    invariant(client !== undefined, 'A client that was just stored is not there.', { client: id });
    const { reference: _, erasedAt: __, ...kept } = client;
    return kept;
  };
  return recalledCommand(custody, call, { work, recall: recallClient });
}

type NewAgreement = { readonly actor: Actor; readonly client: string; readonly terms: AgreementTerms };
type KeptAgreement = Omit<AgreementView, AgreementItem | 'erasedAt'>;

const agreementItems = `p.content ->> 'parties' as parties, p.content ->> 'service' as service, p.content ->> 'custodyPolicy' as custody_policy,
  p.content ->> 'communication' as communication, p.content ->> 'security' as security, p.content ->> 'fees' as fees,
  p.content ->> 'applicableLaw' as applicable_law, p.erased_at`;

function itemsOf(row: Row): Pick<AgreementView, AgreementItem | 'erasedAt'> {
  return {
    parties: textOrNull(row, 'parties'),
    service: textOrNull(row, 'service'),
    custodyPolicy: textOrNull(row, 'custody_policy'),
    communication: textOrNull(row, 'communication'),
    security: textOrNull(row, 'security'),
    fees: textOrNull(row, 'fees'),
    applicableLaw: textOrNull(row, 'applicable_law'),
    erasedAt: dateOrNull(row, 'erased_at')?.toISOString() ?? null,
  };
}

async function storeAgreement(
  tx: Transaction,
  now: Date,
  { actor, client, terms }: NewAgreement,
): Promise<KeptAgreement> {
  const id = newId('agr', now);
  const { signedAt, ...content } = terms;
  await tx.query(
    'insert into custody.agreement (id, client, signed_at, recorded_by, created_at) values ($1, $2, $3, $4, $5)',
    [id, client, signedAt, actor.name, now],
  );
  const personal = await keepPersonal(tx, { id, client, content, now });
  await record(tx, now, { actor, subject: client, event: 'agreement-recorded', data: { agreement: id, personal } });
  return {
    signedAt: new Date(signedAt).toISOString(),
    id,
    clientId: client,
    recordedBy: actor.name,
    recordedAt: now.toISOString(),
  };
}

export async function recordAgreement(
  custody: Custody,
  call: WriteCall,
  input: { clientId: string; terms: AgreementTerms },
): Promise<Answer<AgreementView>> {
  const work = async (tx: Transaction, now: Date): Promise<KeptAgreement | Refused> => {
    const client = await findClient(tx, input.clientId);
    if (client === undefined) return notFound('client', input.clientId);
    if (client.erasedAt !== null) return erasedClient(client.id);
    return storeAgreement(tx, now, { actor: call.actor, client: input.clientId, terms: input.terms });
  };
  const recall = async (db: Queries, kept: KeptAgreement): Promise<AgreementView> => {
    const row = only(await db.query(`select ${agreementItems} from custody.personal p where p.id = $1`, [kept.id]));
    return { ...kept, ...itemsOf(row) };
  };
  return recalledCommand(custody, call, { work, recall });
}

function erasedClient(client: string): Refused {
  return refuse(
    'client/erased',
    `What names client ${client} was erased. Whoever comes back is a new client: POST /v1/clients.`,
    { client },
  );
}

export async function listAgreements(tx: Queries, client: string): Promise<readonly AgreementView[]> {
  const rows = await tx.query(
    `select a.id, a.client, a.signed_at, a.recorded_by, a.created_at, ${agreementItems}
     from custody.agreement a join custody.personal p on p.id = a.id where a.client = $1 order by a.created_at, a.id`,
    [client],
  );
  return rows.map((row) => ({
    ...itemsOf(row),
    id: text(row, 'id'),
    clientId: text(row, 'client'),
    signedAt: date(row, 'signed_at').toISOString(),
    recordedBy: text(row, 'recorded_by'),
    recordedAt: date(row, 'created_at').toISOString(),
  }));
}

function segregationViewOf(row: Row): SegregationView {
  return {
    clientId: text(row, 'client'),
    chain: text(row, 'chain'),
    version: integer(row, 'version'),
    segregation: segregationOf(text(row, 'model')),
    compartment: Number(bigint(row, 'compartment')),
    decidedBy: text(row, 'decided_by'),
    decidedAt: date(row, 'since').toISOString(),
  };
}

/** Every version of a client's segregation model, by chain and version. */
export async function listSegregation(tx: Queries, client: string): Promise<readonly SegregationView[]> {
  const rows = await tx.query('select * from custody.segregation where client = $1 order by chain, version', [client]);
  return rows.map(segregationViewOf);
}

async function currentSegregation(tx: Queries, client: string, chain: ChainId): Promise<SegregationView | undefined> {
  const [row] = await tx.query(
    'select * from custody.segregation where client = $1 and chain = $2 order by version desc limit 1',
    [client, chain],
  );
  return row === undefined ? undefined : segregationViewOf(row);
}

/** Compartment that a client's value on a chain belongs to, or undefined while nothing was set up there. */
export async function compartmentOf(tx: Queries, client: string, chain: ChainId): Promise<Compartment | undefined> {
  const current = await currentSegregation(tx, client, chain);
  return current === undefined ? undefined : parseCompartment(current.compartment);
}

/**
 * The compartment of a client on a chain, set up with the client's model on first use. Two at once agree on one: the
 * advisory lock of the client comes first.
 */
export async function ensureCompartment(
  custody: Custody,
  tx: Transaction,
  input: { client: ClientView; chain: ChainId; actor: Actor; now: Date },
): Promise<Compartment> {
  const { client, chain, now } = input;
  await lockClient(tx, client.id);
  const known = await compartmentOf(tx, client.id, chain);
  if (known !== undefined) return known;
  return setSegregation(custody, tx, { ...input, model: client.segregation, version: 1, now });
}

/**
 * The compartment that {@link ensureCompartment} will give, with its row and without deciding on the model yet: what has to be
 * asked about it can be asked before.
 */
export async function expectCompartment(
  custody: Custody,
  tx: Transaction,
  input: { client: ClientView; chain: ChainId; now: Date },
): Promise<Compartment> {
  const { client, chain, now } = input;
  const known = await compartmentOf(tx, client.id, chain);
  if (known !== undefined) return known;
  return compartmentFor(custody, tx, { client, model: client.segregation, now });
}

/** The compartment that a model gives to a client, with its row. */
export async function compartmentFor(
  custody: Custody,
  tx: Transaction,
  { client, model, now }: { client: ClientView; model: Segregation; now: Date },
): Promise<Compartment> {
  if (model === 'omnibus') return ensurePool(tx, custody.policy.omnibusCompartment, now);
  await lockClient(tx, client.id);
  return ensureIndividual(tx, client.id, now);
}

/** Held from looking at a client's compartment to booking there, or to changing it. */
export async function lockClient(tx: Transaction, client: string): Promise<void> {
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 7402))', [client]);
}

async function setSegregation(
  custody: Custody,
  tx: Transaction,
  input: { client: ClientView; chain: ChainId; model: Segregation; version: number; actor: Actor; now: Date },
): Promise<Compartment> {
  const { client, chain, model, version, now } = input;
  const compartment = await compartmentFor(custody, tx, input);
  await tx.query(
    'insert into custody.segregation (client, chain, version, model, compartment, decided_by, since) values ($1, $2, $3, $4, $5, $6, $7)',
    [client.id, chain, version, model, compartment, input.actor.name, now],
  );
  await record(tx, now, {
    actor: input.actor,
    subject: client.id,
    event: 'segregation-set',
    data: { chain, version, model, compartment },
  });
  return compartment;
}

/** Sets the next version of a model once the assets have moved; the compartment is the one they went to. */
export async function moveSegregation(
  tx: Transaction,
  input: {
    readonly client: string;
    readonly chain: ChainId;
    readonly model: Segregation;
    readonly compartment: Compartment;
    readonly actor: Actor;
    readonly now: Date;
  },
): Promise<void> {
  const { client, chain, model, compartment, actor, now } = input;
  const current = await currentSegregation(tx, client, chain);
  const version = (current?.version ?? 0) + 1;
  await tx.query(
    'insert into custody.segregation (client, chain, version, model, compartment, decided_by, since) values ($1, $2, $3, $4, $5, $6, $7)',
    [client, chain, version, model, compartment, actor.name, now],
  );
  const data = { chain, version, model, compartment };
  await record(tx, now, { actor, subject: client, event: 'segregation-set', data });
}

/** Creates the row of a compartment that belongs to nobody in particular: a pool or one of the house. */
export async function ensurePool(tx: Transaction, compartment: Compartment, now: Date): Promise<Compartment> {
  await tx.query(
    'insert into custody.compartment (number, created_at) values ($1, $2) on conflict (number) do nothing',
    [compartment, now],
  );
  return compartment;
}

async function ensureIndividual(tx: Transaction, client: string, now: Date): Promise<Compartment> {
  const [known] = await tx.query('select number from custody.compartment where owner = $1', [client]);
  if (known !== undefined) return parseCompartment(Number(bigint(known, 'number')));
  const row = only(
    await tx.query(
      `insert into custody.compartment (number, owner, created_at)
       values (nextval('custody.individual_number'), $1, $2) returning number`,
      [client, now],
    ),
  );
  return parseCompartment(Number(bigint(row, 'number')));
}

/**
 * Changes the model for a chain. Value stays with the compartment whose address received it, so the change is refused once the
 * client has addresses or claims there: moving then takes an approved on-chain movement, a withdrawal to an address of the new model.
 */
export async function changeSegregation(
  custody: Custody,
  call: WriteCall,
  input: { clientId: string; chain: ChainId; model: Segregation },
): Promise<Answer<SegregationView>> {
  return command(custody, call, async (tx, now) => {
    const client = await findClient(tx, input.clientId);
    if (client === undefined) return notFound('client', input.clientId);
    await lockClient(tx, client.id);
    const current = await currentSegregation(tx, client.id, input.chain);
    if (current?.segregation === input.model) return current;
    const refused =
      forbiddenModel(custody, input.model) ??
      (await fixedByWallets(tx, client.id, input.chain)) ??
      (await fixedByClaims(tx, client.id, input.chain));
    if (refused !== undefined) return refused;
    const version = (current?.version ?? 0) + 1;
    await setSegregation(custody, tx, { client, ...input, version, actor: call.actor, now });
    const after = await currentSegregation(tx, client.id, input.chain);
    invariant(after !== undefined, 'A segregation model that was just stored is not there.', { client: client.id });
    return after;
  });
}

async function fixedByWallets(tx: Queries, client: string, chain: ChainId): Promise<Refused | undefined> {
  const [wallet] = await tx.query('select id from custody.wallet where client = $1 and chain = $2 limit 1', [
    client,
    chain,
  ]);
  if (wallet === undefined) return undefined;
  return refuse(
    'client/segregation-fixed',
    `Client ${client} has addresses on ${chain}; what they receive belongs to their compartment. Move the client: POST /v1/clients/${client}/segregation-moves.`,
    { client, chain },
  );
}

/** A deposit that was assigned gives a client without an address a claim; withdrawals are paid from the compartment of the model. */
async function fixedByClaims(tx: Queries, client: string, chain: ChainId): Promise<Refused | undefined> {
  const [claim] = await tx.query(
    `select asset, kind from ledger.accounts where holder = $1 and chain = $2 and kind <> 'wallet' and posted <> 0 limit 1`,
    [client, chain],
  );
  if (claim === undefined) return undefined;
  return refuse(
    'client/segregation-fixed',
    `Client ${client} has claims on ${chain}, ${text(claim, 'kind')} in ${text(claim, 'asset')}; they belong to their compartment. Move the client: POST /v1/clients/${client}/segregation-moves.`,
    { client, chain },
  );
}
