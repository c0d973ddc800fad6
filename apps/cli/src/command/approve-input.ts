import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CustodyError } from '@bulkhead/domain';

/** Whether a person sits at the keyboard. */
export function isTyped(): boolean {
  return process.stdin.isTTY;
}

/** Asks a person for a line, on the side where progress is told. */
export async function askLine(prompt: string): Promise<string> {
  return ask({ shown: '', asked: prompt, output: process.stderr });
}

/** Asks a person for something that must not be seen: what is typed is not echoed. */
export async function askSecret(prompt: string): Promise<string> {
  // The line editor echoes into its output: one that swallows everything shows nothing.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await ask({ shown: prompt, asked: '', output: nowhere });
  } finally {
    process.stderr.write('\n');
  }
}

type Question = {
  /** Written by us, for an editor that shows nothing. */
  readonly shown: string;
  /** Written by the line editor, which wipes its line first. */
  readonly asked: string;
  readonly output: NodeJS.WritableStream;
};

async function ask({ shown, asked, output }: Question): Promise<string> {
  // The terminal stops echoing here, before a prompt invites anybody to type.
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  process.stderr.write(shown);
  const stopped = new AbortController();
  // Ctrl-C and Ctrl-D answer nothing, which confirms nothing.
  lines.once('SIGINT', () => stopped.abort());
  lines.once('close', () => stopped.abort());
  try {
    return await lines.question(asked, { signal: stopped.signal });
  } catch (error) {
    if (stopped.signal.aborted) return '';
    throw error;
  } finally {
    lines.close();
  }
}

/** Everything that comes in by the pipe. @throws CustodyError `request/too-large` */
export async function readStandardInput(charactersMax: number): Promise<string> {
  const decoder = new TextDecoder('utf-8');
  let text = '';
  for await (const chunk of process.stdin) {
    text += decoder.decode(Buffer.from(chunk), { stream: true });
    if (text.length > charactersMax) {
      throw new CustodyError('request/too-large', `What came in is longer than ${charactersMax} characters.`);
    }
  }
  return text;
}
