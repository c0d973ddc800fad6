import { CustodyError } from '@bulkhead/domain';
import koffi from 'koffi';

/** The few calls of the C library that Node does not offer. */
export type Libc = {
  readonly prctl: (option: number, argument: number) => number;
  readonly setCoreLimitZero: (resource: number) => void;
  readonly coreLimit: (resource: number) => { readonly current: bigint; readonly most: bigint };
  /** User at the other end of a unix socket; undefined where the kernel does not say. */
  readonly peerUser: (descriptor: number) => number | undefined;
};

/** Numbers of the Linux kernel's headers (asm-generic/socket.h). `struct ucred` is process, user and group, four bytes each. */
const solSocket = 1;
const soPeercred = 17;
const credentialBytes = 12;
const userOffset = 4;

let opened: Libc | undefined;

/** @throws CustodyError `signer/hardening` where the C library of this system cannot be called */
export function openLibc(): Libc {
  opened ??= open();
  return opened;
}

type NativeCall = (...values: readonly unknown[]) => unknown;

function open(): Libc {
  const functions = load();
  const call = (name: keyof typeof functions, ...values: readonly unknown[]): number => {
    const result = functions[name](...values);
    if (typeof result !== 'number') throw unreachable(`${name} answered ${typeof result}`);
    return result;
  };
  return {
    prctl: (option, argument) => call('prctl', option, argument, 0, 0, 0),
    setCoreLimitZero: (resource) => {
      call('setrlimit', resource, Buffer.alloc(16));
    },
    coreLimit: (resource) => {
      const limit = Buffer.alloc(16, 0xff);
      call('getrlimit', resource, limit);
      return { current: limit.readBigUInt64LE(0), most: limit.readBigUInt64LE(8) };
    },
    peerUser: (descriptor) => {
      const credentials = Buffer.alloc(credentialBytes);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(credentialBytes);
      const result = call('getsockopt', descriptor, solSocket, soPeercred, credentials, length);
      return result === 0 ? credentials.readUInt32LE(userOffset) : undefined;
    },
  };
}

function load(): Readonly<Record<'prctl' | 'setrlimit' | 'getrlimit' | 'getsockopt', NativeCall>> {
  try {
    const libc = koffi.load('libc.so.6');
    return {
      prctl: libc.func('int prctl(int option, ulong a, ulong b, ulong c, ulong d)'),
      setrlimit: libc.func('int setrlimit(int resource, void *limit)'),
      getrlimit: libc.func('int getrlimit(int resource, void *limit)'),
      getsockopt: libc.func('int getsockopt(int socket, int level, int name, void *value, void *length)'),
    };
  } catch (cause) {
    throw unreachable('it does not load', cause);
  }
}

function unreachable(fact: string, cause?: unknown): CustodyError {
  const message = `The signer does not start: the C library of this system cannot be called: ${fact}. It needs glibc and koffi's binary for this platform.`;
  return new CustodyError('signer/hardening', message, cause === undefined ? {} : { cause });
}
