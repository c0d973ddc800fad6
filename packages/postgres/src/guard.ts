import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';

/** A name on this machine that one process holds at a time. */
export type Guard = AsyncDisposable & { readonly server: Server };

/** Abstract socket name (Linux): lives in the kernel, not in a folder, so it vanishes with the process that holds it. */
export function guardAddress(name: string): string {
  return `\0bulkhead-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}

/**
 * Takes a name, or answers undefined when another live process has it. The kernel gives it back when the holder dies,
 * however it dies, so there is no stale lock to judge.
 */
export async function takeGuard(name: string): Promise<Guard | undefined> {
  const server = createServer();
  const taken = await new Promise<boolean>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(guardAddress(name), () => resolve(true));
  });
  if (!taken) return undefined;
  server.unref();
  return {
    server,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
