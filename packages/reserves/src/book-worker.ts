import { parentPort } from 'node:worker_threads';
import { CustodyError } from '@bulkhead/domain';
import type { BookMessage, BookTask } from './book-thread.ts';
import { workAt } from './book-work.ts';

/** A thread that works at one book. */
function say(message: BookMessage): void {
  parentPort?.postMessage(message);
}

async function answer({ work, order }: BookTask): Promise<void> {
  try {
    say({ said: 'done', result: await workAt(work, order, (progress) => say({ said: 'progress', progress })) });
  } catch (error) {
    // An error loses its class and its code between threads. Anything but a fault is a bug, and ends the thread with its own words.
    if (!(error instanceof CustodyError)) throw error;
    const { code, message, details } = error;
    say({ said: 'failed', code, message, details });
  }
}

parentPort?.once('message', (task: BookTask) => {
  answer(task).catch((error: unknown) => {
    queueMicrotask(() => {
      throw error;
    });
  });
});
