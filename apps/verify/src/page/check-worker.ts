import { type Answer, answerTo, type Question } from '../question.ts';

/** What a worker says. */
type Said =
  | { readonly kind: 'progress'; readonly what: string }
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'failed'; readonly message: string };

export type Asking = { readonly answer: Promise<Answer>; stop(): void };

/** The text of this very script: with it a worker can be started from a file on a disk, where there is no address to load it from. */
const ownScript = typeof document === 'undefined' ? '' : (document.currentScript?.textContent ?? '');

/** Takes the question, in the worker. */
export function answerQuestions(): void {
  addEventListener('message', ({ data }: MessageEvent<Question>) => {
    const say = (said: Said): void => postMessage(said);
    answerTo(data, (what) => say({ kind: 'progress', what })).then(
      (answer) => say({ kind: 'answer', answer }),
      (error: unknown) => say({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
    );
  });
}

/**
 * Has a question answered apart from the page, which stays usable meanwhile: range proofs take seconds. Some browsers let a file on a
 * disk have no worker; then the page answers itself, and stands still for as long as it takes.
 */
export function ask(question: Question, progress: (what: string) => void): Asking {
  const worker = startWorker();
  if (worker === undefined) return { answer: answerTo(question, progress), stop: () => undefined };
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  let heard = false;
  worker.addEventListener('message', ({ data }: MessageEvent<Said>) => {
    heard = true;
    if (data.kind === 'progress') progress(data.what);
    if (data.kind === 'answer') resolve(data.answer);
    if (data.kind === 'failed') reject(new Error(data.message));
  });
  worker.addEventListener('error', () => {
    if (heard) reject(new Error('The check broke off, perhaps for want of memory. Load the page again.'));
    else answerTo(question, progress).then(resolve, reject);
  });
  worker.postMessage(question);
  return {
    answer: promise.finally(() => worker.terminate()),
    stop: () => reject(new Error('You stopped the check.')),
  };
}

/** Trusted Types, where the browser has them: the page's policy lets one thing be loaded as a script, and that is this address. */
declare const trustedTypes:
  | undefined
  | {
      createPolicy(
        name: string,
        rules: { readonly createScriptURL: (url: string) => string },
      ): { createScriptURL(url: string): string };
    };

const ownAddress =
  typeof document === 'undefined' ? '' : URL.createObjectURL(new Blob([ownScript], { type: 'text/javascript' }));

const policy =
  typeof trustedTypes === 'undefined'
    ? undefined
    : trustedTypes.createPolicy('bulkhead-verify', {
        createScriptURL: (url) => {
          if (url === ownAddress) return url;
          throw new TypeError('Nothing but this script is loaded as a script.');
        },
      });

function startWorker(): Worker | undefined {
  try {
    return new Worker(policy?.createScriptURL(ownAddress) ?? ownAddress);
  } catch {
    return undefined;
  }
}
