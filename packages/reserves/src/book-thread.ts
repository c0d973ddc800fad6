import { Worker } from 'node:worker_threads';
import { CustodyError, faultCodes, type FaultDetails } from '@bulkhead/domain';
import { type BookOrder, type BookResult, type BookWork, workAt } from './book-work.ts';
import { rowsOf } from './epoch-book.ts';
import type { Progress, Tell } from './progress.ts';
import { openSnapshot } from './snapshot.ts';

/** Claims up to which a book is worked at where the caller is, in some milliseconds. More of them would keep it from everything else. */
export const claimsHere = 200;

/** What a thread is given, and what it says while it works and at the end. */
export type BookTask = { readonly work: BookWork; readonly order: BookOrder };
export type BookMessage =
  | { readonly said: 'progress'; readonly progress: Progress }
  | { readonly said: 'done'; readonly result: BookResult }
  | { readonly said: 'failed'; readonly code: string; readonly message: string; readonly details: FaultDetails };

/**
 * Does a step of the work, in a thread of its own where it is long, so that a server goes on answering meanwhile.
 *
 * @throws CustodyError what the step throws
 */
export async function runBook(work: BookWork, order: BookOrder, tell: Tell): Promise<BookResult> {
  const claims = rowsOf(openSnapshot(work.kept)).reduce((sum, row) => sum + row.claims, 0);
  if (claims <= claimsHere) return workAt(work, order, tell);
  const task: BookTask = { work, order };
  const worker = new Worker(new URL('book-worker.ts', import.meta.url));
  try {
    worker.postMessage(task);
    return await resultOf(worker, tell);
  } finally {
    await worker.terminate();
  }
}

function resultOf(worker: Worker, tell: Tell): Promise<BookResult> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', (code) => {
      reject(new CustodyError('reserves/damaged-work', `The thread of an epoch ended with ${code}. Start it again.`));
    });
    worker.on('message', (message: BookMessage) => {
      switch (message.said) {
        case 'progress':
          tell(message.progress);
          return;
        case 'done':
          resolve(message.result);
          return;
        case 'failed': {
          const code = faultCodes.find((known) => known === message.code) ?? 'invariant/broken';
          reject(new CustodyError(code, message.message, { details: message.details }));
        }
      }
    });
  });
}
