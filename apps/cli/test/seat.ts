import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { launcher } from './shell.ts';

const pollMs = 25;
const waitMsMax = 15_000;

/** A person at a terminal: reads the screen, and types. */
export type Seat = Disposable & {
  /** What stands on the screen, long lines whole. */
  readonly screen: () => string;
  /** Everything that the terminal still shows when one scrolls back. */
  readonly scrollback: () => string;
  /** Waits until the last line on the screen is this question. */
  readonly asked: (question: RegExp) => Promise<string>;
  /** Waits for the question, and answers it. */
  readonly answer: (question: RegExp, text: string) => Promise<void>;
  /** Ends the program at once, as a machine that fails does. */
  readonly kill: () => void;
  /** Types Ctrl-C. */
  readonly stop: () => void;
  /** Waits until the program has ended, and answers its exit code. */
  readonly ended: () => Promise<number>;
};

export type SeatOrder = { readonly name: string; readonly folder: string; readonly words: readonly string[] };

/** Starts the command in a terminal of its own (tmux, with a server of its own). */
export function takeSeat({ name, folder, words }: SeatOrder): Seat {
  const server = `bulkhead-${process.pid}-${name}`;
  const tmux = (...given: readonly string[]): string => {
    try {
      return execFileSync('tmux', ['-L', server, '-f', '/dev/null', ...given], {
        encoding: 'utf8',
        // Its socket goes away with the folder of the test.
        env: { ...process.env, TMUX_TMPDIR: folder },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
        throw new Error('tmux is not installed, and this test needs a terminal: apt-get install tmux.', {
          cause: error,
        });
      }
      throw error;
    }
  };
  const command = [process.execPath, launcher, ...words].map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`);
  tmux(
    'new-session',
    '-d',
    '-x',
    '200',
    '-y',
    '50',
    '-c',
    folder,
    `${command.join(' ')}; code=$?; echo; echo "exit code: $code"; cat`,
  );
  const screen = (): string => tmux('capture-pane', '-p', '-J');
  const asked = async (question: RegExp): Promise<string> => {
    const until = Date.now() + waitMsMax;
    for (;;) {
      const shown = screen();
      const last = shown.trimEnd().split('\n').at(-1)?.trimEnd() ?? '';
      if (question.test(last)) return shown;
      if (Date.now() > until) throw new Error(`The screen never asked ${question.source}. It shows:\n${shown}`);
      await pause(pollMs);
    }
  };
  return {
    screen,
    scrollback: () => tmux('capture-pane', '-p', '-J', '-S', '-'),
    asked,
    async answer(question, text) {
      const before = await asked(question);
      if (text !== '') tmux('send-keys', '-l', text);
      tmux('send-keys', 'Enter');
      // The same question may come again: it is another one only when something has happened in between.
      while (screen() === before) await pause(pollMs);
    },
    kill: () => {
      // The shell's only child; the shell then says how it ended.
      const shell = tmux('display-message', '-p', '#{pane_pid}').trim();
      execFileSync('pkill', ['-KILL', '-P', shell]);
    },
    stop: () => {
      tmux('send-keys', 'C-c');
    },
    async ended() {
      const shown = await asked(/^exit code: \d+$/u);
      return Number(/exit code: (\d+)\s*$/u.exec(shown.trimEnd())?.[1]);
    },
    [Symbol.dispose]: () => {
      tmux('kill-server');
    },
  };
}
