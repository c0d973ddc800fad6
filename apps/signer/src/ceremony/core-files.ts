import { openLibc } from '../process/libc.ts';

/** Numbers of the Linux kernel's headers (prctl.h, resource.h). */
const prSetDumpable = 4;
const rlimitCore = 4;

/**
 * From here on this process leaves no core file, and no debugger of the same user reads its memory. Elsewhere than on Linux there is no
 * such call, and nothing is done: a ceremony whose coins are worth something is held on Linux.
 *
 * @throws CustodyError `signer/hardening`
 */
export function denyCoreFiles(): void {
  if (process.platform !== 'linux') return;
  const libc = openLibc();
  libc.setCoreLimitZero(rlimitCore);
  libc.prctl(prSetDumpable, 0);
}
