import { z } from 'zod';
import { page } from '../resource/page.ts';
import { factParameter, loggedFact, receipt, subjectParameter } from '../resource/receipt.ts';
import { nothing, pageOnly } from './path.ts';
import { read } from './route.ts';
import type { Route } from './route.ts';

const tag = 'Log';

export const log: readonly Route[] = [
  read({
    operation: 'listReceipts',
    url: '/v1/log/subjects/:subject/receipts',
    tag,
    summary: 'Lists the facts about one id with their receipts, in the order in which they were written',
    params: z.strictObject({ subject: subjectParameter }),
    query: pageOnly,
    view: page(loggedFact),
    run: (operations) => operations.listReceipts,
  }),
  read({
    operation: 'getReceipt',
    url: '/v1/log/receipts/:fact',
    tag,
    summary: 'Shows the receipt of a fact; 404 with `log/receipt-pending` while no checkpoint covers it',
    params: z.strictObject({ fact: factParameter }),
    query: nothing,
    view: receipt,
    run: (operations) => operations.getReceipt,
  }),
];
