import { CustodyError } from '@bulkhead/domain';
import { hardeningFlags } from './hardening-flags.ts';
import { openLibc } from './libc.ts';

/** What the process holds itself to. `writableCode` is `not-offered` by kernels before 6.3; everything else is certain. */
export type Hardening = {
  readonly kernel: 'linux' | 'other';
  readonly writableCode: 'refused' | 'not-offered';
  readonly detail: string;
};

/** Numbers of the Linux kernel's headers (prctl.h, resource.h), the same on x86-64 and arm64. */
const prSetDumpable = 4;
const prGetDumpable = 3;
const prSetNoNewPrivs = 38;
const prGetNoNewPrivs = 39;
const prSetMdwe = 65;
const prGetMdwe = 66;
const mdweRefuseExecGain = 1;
const rlimitCore = 4;

/**
 * Gives up, for good, what an attacker inside of this process would want: core files and debuggers of the same user, new rights,
 * memory that is both written and run, code made from text. Each is read back. Called before any key is opened.
 *
 * There is no setting that leaves this out. On a system that is not Linux the calls do not exist; `development` lets the signer
 * start there, with keys of coins that are worth nothing.
 *
 * @throws CustodyError `signer/hardening`
 */
export function harden({ development }: { readonly development: boolean }): Hardening {
  assertRuntime();
  if (process.platform === 'linux') return hardenLinux();
  if (development) {
    return { kernel: 'other', writableCode: 'not-offered', detail: `${process.platform}: no process hardening` };
  }
  throw weak(`this is ${process.platform}, where a process cannot be hardened`, 'Run the signer on Linux.');
}

/**
 * Looks at what holds, not only at what was asked for: an option that a later Node ignores would be seen here.
 *
 * @throws CustodyError `signer/hardening`
 */
function assertRuntime(): void {
  const missing = hardeningFlags.filter((flag) => !process.execArgv.includes(flag));
  if (missing.length > 0) {
    throw weak(`Node runs without ${missing.join(' ')}`, 'Start it with all options of the unit.');
  }
  for (const name of ['NODE_OPTIONS', 'LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT']) {
    if (process.env[name] !== undefined) throw weak(`${name} is set`, 'It could undo the options: start without it.');
  }
  const open = ['fs.read', 'fs.write', 'child', 'worker', 'wasi', 'inspector'].filter((scope) =>
    process.permission.has(scope),
  );
  if (open.length > 0) throw weak(`the permission model leaves ${open.join(', ')} open`, 'Name single folders.');
  if (Reflect.has(globalThis, 'WebAssembly')) throw weak('WebAssembly is there', 'The compiler is on: use --jitless.');
  if (Reflect.has(Object.prototype, '__proto__')) throw weak('__proto__ is there', 'Use --disable-proto=delete.');
  if (makesCode()) throw weak('code can be made from text', 'Use --disallow-code-generation-from-strings.');
}

function makesCode(): boolean {
  try {
    Reflect.construct(Function, ['return 1']);
    return true;
  } catch {
    return false;
  }
}

function hardenLinux(): Hardening {
  const { prctl, coreLimit, setCoreLimitZero } = openLibc();
  setCoreLimitZero(rlimitCore);
  const limit = coreLimit(rlimitCore);
  if (limit.current !== 0n || limit.most !== 0n) {
    throw weak('core files are allowed', 'setrlimit(RLIMIT_CORE) had no effect.');
  }
  prctl(prSetDumpable, 0);
  if (prctl(prGetDumpable, 0) !== 0) throw weak('memory can be dumped', 'prctl(PR_SET_DUMPABLE) had no effect.');
  prctl(prSetNoNewPrivs, 1);
  if (prctl(prGetNoNewPrivs, 0) !== 1) throw weak('rights can grow', 'prctl(PR_SET_NO_NEW_PRIVS) had no effect.');
  // Refused with EINVAL by a kernel that does not know the call: reading answers below zero then, and never zero.
  const unset = prctl(prGetMdwe, 0);
  if (unset < 0) return report('not-offered');
  prctl(prSetMdwe, mdweRefuseExecGain);
  if ((prctl(prGetMdwe, 0) & mdweRefuseExecGain) === 0) {
    throw weak('memory can be written and run', 'The kernel offers PR_SET_MDWE and did not take it.');
  }
  return report('refused');
}

function report(writableCode: Hardening['writableCode']): Hardening {
  const memory =
    writableCode === 'refused' ? 'no writable code' : 'writable code not refused: this kernel lacks PR_SET_MDWE (6.3)';
  return { kernel: 'linux', writableCode, detail: `no core files, no debugger, no new rights, no compiler, ${memory}` };
}

function weak(fact: string, advice: string): CustodyError {
  return new CustodyError('signer/hardening', `The signer does not start: ${fact}. ${advice}`);
}
