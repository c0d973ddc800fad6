import { createHash } from 'node:crypto';
import { type Clock, CustodyError, type DecisionRecord, type SignedStatement } from '@bulkhead/domain';
import { digestOf } from './key.ts';

/** The installation of everything fake. */
export const fakeDeployment: string = 'fa'.repeat(16);
const fakeIdentity = '1d'.repeat(32);
/** Somebody whom nobody pinned. */
export const foreignIdentity: string = 'f0'.repeat(32);

/** Something the fake signer vouches for. Its signature is a digest of the text, so that a changed text shows. */
export function fakeStatement(
  kind: string,
  fields: Readonly<Record<string, string>>,
  identity: string = fakeIdentity,
): SignedStatement {
  const all = Object.entries({ ...fields, deployment: fakeDeployment, kind }).sort(([a], [b]) => (a < b ? -1 : 1));
  const statement = `bulkhead-statement-v1\n${JSON.stringify(Object.fromEntries(all))}`;
  return { statement, identity, signature: digestOf('statement', statement).repeat(2) };
}

export function isFakeStatement({ statement, identity, signature }: SignedStatement): boolean {
  return identity === fakeIdentity && signature === digestOf('statement', statement).repeat(2);
}

/** Refuses a record that does not stand below a head of the fake signer, as the port of the server must. */
export function fakeVerifyRecord({ sequence, line, previous, following, head }: DecisionRecord): void {
  const hash = [sha256(line), ...following.map((digest) => Buffer.from(digest, 'hex'))].reduce(hashOfLine, previous);
  const said = fakeStatement('head', { sequence: String(sequence + BigInt(following.length)), hash });
  if (isFakeStatement(head) && head.statement === said.statement) return;
  throw new CustodyError('signer/certificate-invalid', `Record ${sequence} does not stand below a head of the signer.`);
}

function sha256(line: string): Buffer {
  return createHash('sha256').update(line).digest();
}

function hashOfLine(previous: string, digest: Buffer): string {
  return createHash('sha256').update(Buffer.from(previous, 'hex')).update(digest).digest('hex');
}

type Line = { readonly sequence: bigint; readonly line: string; readonly previous: string; readonly hash: string };

/** The log of decisions: a chain of hashes as a real signer's, in memory, with a head for each record. */
export class FakeSignerLog {
  readonly #lines: Line[] = [];
  readonly #clock: Clock;
  readonly #identity: string;

  constructor(clock: Clock, identity: string = fakeIdentity) {
    this.#clock = clock;
    this.#identity = identity;
  }

  get sequence(): bigint {
    return BigInt(this.#lines.length);
  }

  append(type: string, fields: Readonly<Record<string, string>>): DecisionRecord {
    const sequence = this.sequence + 1n;
    const at = String(Math.floor(this.#clock.now().getTime() / 1000));
    const all = Object.entries({ ...fields, at, sequence: String(sequence), type }).sort(([a], [b]) =>
      a < b ? -1 : 1,
    );
    const line = JSON.stringify(Object.fromEntries(all));
    const previous = this.#lines.at(-1)?.hash ?? '0'.repeat(64);
    const hash = hashOfLine(previous, sha256(line));
    this.#lines.push({ sequence, line, previous, hash });
    return this.#recordOf({ sequence, line, previous, hash });
  }

  records(after: bigint, limit: number): readonly DecisionRecord[] {
    return this.#lines.slice(Number(after), Number(after) + limit).map((line) => this.#recordOf(line));
  }

  /** An older copy of the log is put in its place. */
  rewind(sequence: bigint): void {
    this.#lines.length = Number(sequence);
  }

  #recordOf({ sequence, line, previous, hash }: Line): DecisionRecord {
    const head = fakeStatement('head', { sequence: String(sequence), hash }, this.#identity);
    return { sequence, line, previous, following: [], head };
  }
}
