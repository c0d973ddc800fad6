import type { Actor, Operations } from '@bulkhead/api';
import { type Custody, factPlaces, notFound } from '@bulkhead/custody';
import { type Refused, refuse } from '@bulkhead/domain';
import { provenReceipts, receiptAt } from '@bulkhead/log';
import { type ReceiptJson, type Receipt, receiptJson } from '@bulkhead/tlog';
import { factViews } from '../audit-log.ts';
import { ordinal, pageOf } from './paging.ts';

export type LogOperations = Pick<Operations, 'listReceipts' | 'getReceipt'>;

/** Receipts of the audit log. What everybody may read of it needs no token, and is not here. */
export function logOperations({ db }: Custody, witnessesMin: number): LogOperations {
  const order = { views: factViews, witnessesMin };
  return {
    listReceipts: async ({ actor }, { subject, ...query }) =>
      pageOf(query, {
        read: async (after, limit) => {
          const places = await factPlaces(db, {
            id: subject,
            after: after === null ? 0n : BigInt(ordinal(after)),
            limit,
          });
          const proven = await provenReceipts(db, places, order);
          return places.map((place) => {
            const receipt = proven.get(place);
            return { fact: String(place), receipt: receipt === undefined ? null : shownTo(actor, receipt) };
          });
        },
        place: ({ fact }) => fact,
        view: (fact) => fact,
      }),
    getReceipt: async ({ actor }, { fact }) => {
      const state = await receiptAt(db, fact, order);
      switch (state.status) {
        case 'proven':
          return shownTo(actor, state.receipt);
        case 'none':
          return notFound('fact', String(fact));
        case 'waiting':
          return pending(fact, 'is not sequenced yet: transactions that began before it are open');
        case 'unsigned':
          return pending(
            fact,
            `is leaf ${state.index} of the log, and no checkpoint covers it yet that is signed and cosigned`,
          );
      }
    },
  };
}

function pending(fact: bigint, how: string): Refused {
  return refuse('log/receipt-pending', `The fact at place ${fact} ${how}. Ask again in a second.`, {
    fact: String(fact),
  });
}

/** Leaf and proof are public. What is inside is for who caused it, and for those who answer for everything or look into everything. */
function shownTo(actor: Actor, receipt: Receipt): ReceiptJson {
  const { opening } = receipt;
  const isShown =
    opening !== undefined &&
    (actor.role === 'admin' || actor.role === 'auditor' || causer(opening.content) === actor.name);
  return receiptJson(isShown ? receipt : { ...receipt, opening: undefined });
}

function causer(content: string): unknown {
  const fact: unknown = JSON.parse(content);
  return typeof fact === 'object' && fact !== null && 'actor' in fact ? fact.actor : undefined;
}
