import './native-hex.ts';
import { writeSync } from 'node:fs';
import { CustodyError } from '@bulkhead/domain';
import { readConfiguration } from './configuration.ts';
import { harden } from './hardening.ts';
import { pinRefusedExitCode, stopMsMax } from './limits.ts';
import { errorShape, logLine } from './log.ts';

const stdout = 1;

/** One line for whoever started this process: that it listens, or why it does not. */
function announce(line: object): void {
  try {
    writeSync(stdout, `${JSON.stringify(line)}\n`);
  } catch {
    // Nobody listens to that any more; the log has the same.
    return;
  }
}

function fail(event: string, error: unknown): void {
  const known = error instanceof CustodyError;
  const code = known ? error.code : 'invariant/broken';
  const message = known ? error.message : 'The signer met an error of its own; its log has the place.';
  logLine('error', event, known ? { code, reason: message } : errorShape(error));
  announce({ failed: { code, message } });
}

/** Ends at once. State is safe at every moment: whatever was not committed was not given out. */
function abandon(event: string, error: unknown): void {
  fail(event, error);
  process.kill(process.pid, 'SIGKILL');
}

async function main(): Promise<void> {
  const file = process.argv
    .find((argument) => argument.startsWith('--configuration='))
    ?.slice('--configuration='.length);
  if (file === undefined) {
    throw new CustodyError('config/invalid', 'No configuration is named: --configuration=/path/of/signer.json.');
  }
  const configuration = readConfiguration(file);
  const hardening = harden(configuration);
  // Only now what touches keys is loaded.
  const { openSignerProcess } = await import('./signer-process.ts');
  const signer = await openSignerProcess(configuration, hardening);

  let ending = false;
  const end = (reason: string): void => {
    if (ending) return;
    ending = true;
    logLine('info', 'ending', { reason });
    const last = setTimeout(() => abandon('not-ended', new Error('too slow')), 2 * stopMsMax);
    signer.stop().then(
      () => {
        clearTimeout(last);
        process.stdin.destroy();
        logLine('info', 'ended');
      },
      (error: unknown) => {
        process.exitCode = 1;
        abandon('not-ended', error);
      },
    );
  };
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
  process.on('SIGHUP', () => end('SIGHUP'));
  if (configuration.development) {
    // Nobody may be left behind by a test or a demonstration: when the starting process is gone, its end of the pipe closes.
    process.stdin.on('end', () => end('the starting process is gone'));
    process.stdin.on('error', () => end('the starting process is gone'));
    process.stdin.resume();
  }
  logLine('info', 'ready', { hardening: hardening.detail });
  announce({ ready: signer.places });
}

process.on('uncaughtException', (error) => abandon('defect', error));
process.on('unhandledRejection', (error) => abandon('defect', error));
main().catch((error: unknown) => {
  fail('not-started', error);
  process.exitCode = error instanceof CustodyError && error.code === 'hsm/pin-refused' ? pinRefusedExitCode : 1;
});
