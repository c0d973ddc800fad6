import { CustodyError } from '@bulkhead/domain';
import type { CeremonyConsole } from '@bulkhead/signer/ceremony';
import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { UsageError } from '../exit-code.ts';

/** Screen and scrollback emptied, cursor at the top. */
const empty = '\u001B[2J\u001B[3J\u001B[H';
/** The second screen of a terminal has no scrollback of its own, and goes away with what was on it (xterm, VT: 1049). */
const enterAside = '\u001B[?1049h';
const leaveAside = '\u001B[?1049l';

export type TypedConsole = CeremonyConsole &
  Disposable & {
    /** What is typed is not shown. */
    askHidden(question: string): Promise<string>;
  };

/**
 * The terminal of this process. Lines that were typed are not kept for the arrow keys; lines that were typed ahead, or pasted together,
 * answer the questions that come.
 *
 * @throws UsageError where input or output is no terminal
 */
export function openConsole(command: string): TypedConsole {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY) {
    throw new UsageError(`${command} is for people at a terminal: its input and output cannot be a file or a pipe.`);
  }
  // A run that was killed may have left a share on the second screen.
  stdout.write(empty + leaveAside);
  let hidden = false;
  const shown = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (hidden) done();
      else stdout.write(chunk, () => done());
    },
  });
  const lines = createInterface({ input: stdin, output: shown, terminal: true, historySize: 0 });
  const typed = queueOf(lines);
  const ask = async (question: string): Promise<string> => {
    stdout.write(`${question} `);
    return typed();
  };
  return {
    say: (line) => void stdout.write(`${line}\n`),
    ask,
    async askHidden(question) {
      hidden = true;
      try {
        return await ask(question);
      } finally {
        hidden = false;
        stdout.write('\n');
      }
    },
    async aside(action) {
      stdout.write(enterAside + empty);
      try {
        return await action();
      } finally {
        stdout.write(empty + leaveAside);
      }
    },
    [Symbol.dispose]: () => lines.close(),
  };
}

type Waiting = { readonly resolve: (line: string) => void; readonly reject: (reason: Error) => void };

/** Answers the next line that was typed; rejects once nobody will type any more. */
function queueOf(lines: Interface): () => Promise<string> {
  const ahead: string[] = [];
  let waiting: Waiting | undefined;
  let ended = false;
  lines.on('line', (line) => {
    if (waiting === undefined) ahead.push(line.trim());
    else waiting.resolve(line.trim());
    waiting = undefined;
  });
  const end = (): void => {
    ended = true;
    waiting?.reject(interrupted());
    waiting = undefined;
  };
  lines.on('SIGINT', end);
  lines.on('close', end);
  return async () => {
    const next = ahead.shift();
    if (next !== undefined) return next;
    if (ended) throw interrupted();
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    waiting = { resolve, reject };
    return promise;
  };
}

function interrupted(): CustodyError {
  return new CustodyError(
    'ceremony/interrupted',
    'The ceremony was interrupted. Start the same command again: it says where it stopped and goes on.',
  );
}
