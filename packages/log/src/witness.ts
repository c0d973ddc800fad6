import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createHash } from 'node:crypto';
import { CustodyError } from '@bulkhead/domain';
import {
  cosignatureBytes,
  cosignedMessage,
  decideWitness,
  formatNoteSignature,
  formatSignedNote,
  openCheckpoint,
  parseWitnessRequest,
  type VerifierKey,
  type VerifiedCheckpoint,
} from '@bulkhead/tlog';
import { type NoteSigner, verifyEd25519 } from './log-key.ts';

/** Bytes of a request that are read. */
export const requestLengthMax = 131_072;

/** What happened at a witness, for its log. */
export type WitnessEvent =
  | { readonly type: 'cosigned'; readonly size: number }
  | { readonly type: 'refused'; readonly status: string; readonly reason: string };

export type WitnessOrder = {
  /** The log that is watched, and the origin that its checkpoints name. */
  readonly log: VerifierKey;
  readonly signer: NoteSigner;
  /** File with the last cosigned checkpoint: all that the witness remembers, and must never lose. */
  readonly stateFile: string;
  readonly now: () => Date;
  readonly onEvent?: (event: WitnessEvent) => void;
};

type Answer = { readonly status: number; readonly body: string; readonly type?: string };

/** Replaces the file as a whole and has the disk keep it, folder included, before it returns. */
async function keep(file: string, content: string): Promise<void> {
  const fresh = `${file}.new`;
  const handle = await open(fresh, 'w', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, file);
  const folder = await open(dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Somebody outside of the log, who remembers one checkpoint of it and cosigns the next one only if it continues that (C2SP
 * tlog-witness). Requests are taken one after the other.
 */
export class WitnessDesk {
  readonly #order: WitnessOrder;
  #last: VerifiedCheckpoint | undefined;
  #note: string | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(order: WitnessOrder, note: string | undefined) {
    this.#order = order;
    this.#note = note;
    if (note === undefined) return;
    const own = order.signer.key;
    this.#last = openCheckpoint(note, { ...opening(order), witnesses: [own] });
    if (!this.#last.signatures.some(({ key }) => key === own)) {
      throw new CustodyError('log/unproven', 'The state of the witness is a checkpoint that it did not cosign.');
    }
  }

  /**
   * @param isNew whether there may be no state yet; a witness that has lost its state would cosign a rewound log
   * @throws CustodyError `platform/damaged-state` where the file is missing or damaged
   */
  static async open(order: WitnessOrder, isNew: boolean): Promise<WitnessDesk> {
    let note: string | undefined;
    try {
      note = await readFile(order.stateFile, 'utf8');
    } catch (cause) {
      const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
      if (!missing || !isNew) {
        const message = `The witness cannot read ${order.stateFile}. Without what it cosigned last it would cosign a log that was rewound: bring the file back, or begin anew with --new and say so to whoever relies on it.`;
        throw new CustodyError('platform/damaged-state', message, { cause });
      }
    }
    try {
      return new WitnessDesk(order, note);
    } catch (cause) {
      const message = `${order.stateFile} holds no checkpoint that this witness cosigned for "${order.log.name}".`;
      throw new CustodyError('platform/damaged-state', message, { cause });
    }
  }

  /** Size of the newest checkpoint that was cosigned; 0 before the first. */
  get size(): number {
    return this.#last?.size ?? 0;
  }

  /** `POST add-checkpoint`. */
  async add(body: string): Promise<Answer> {
    const turn = this.#queue.then(() => this.#decide(body));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** `GET <origin hash>/checkpoint`. */
  checkpoint(originHash: string): Answer {
    const known = createHash('sha256').update(this.#order.log.name).digest('hex');
    if (originHash !== known || this.#note === undefined) return { status: 404, body: 'no such checkpoint\n' };
    return { status: 200, body: this.#note };
  }

  async #decide(body: string): Promise<Answer> {
    let request;
    try {
      request = parseWitnessRequest(body);
    } catch (error) {
      if (!(error instanceof CustodyError)) throw error;
      return this.#refuse(400, 'malformed', error.message);
    }
    const decision = decideWitness(request, this.#last, opening(this.#order));
    switch (decision.status) {
      case 'conflict':
        return { status: 409, body: `${decision.size}\n`, type: 'text/x.tlog.size' };
      case 'forbidden':
        return this.#refuse(403, decision.status, decision.reason);
      case 'malformed':
        return this.#refuse(400, decision.status, decision.reason);
      case 'fork':
        return this.#refuse(422, decision.status, decision.reason);
      case 'cosign':
        return this.#cosign(decision.checkpoint);
    }
  }

  #refuse(status: number, type: string, reason: string): Answer {
    this.#order.onEvent?.({ type: 'refused', status: type, reason });
    return { status, body: `${reason}\n` };
  }

  async #cosign(checkpoint: VerifiedCheckpoint): Promise<Answer> {
    const { signer, stateFile, now, log } = this.#order;
    const timeS = Math.floor(now().getTime() / 1000);
    const { text, signatures } = checkpoint.note;
    const signed = await signer.sign(cosignedMessage(text, timeS));
    const line = { name: signer.key.name, keyId: signer.key.id, bytes: cosignatureBytes(timeS, signed) };
    const own = signatures.filter(({ name, keyId }) => name === log.name && keyId === log.id);
    const note = formatSignedNote({ text, signatures: [...own.slice(0, 1), line] });
    // On disk before anybody has the signature: after a crash here the witness stands at what it may have given out.
    await keep(stateFile, note);
    this.#last = checkpoint;
    this.#note = note;
    this.#order.onEvent?.({ type: 'cosigned', size: checkpoint.size });
    return { status: 200, body: formatNoteSignature(line) };
  }
}

function opening({ log }: WitnessOrder): {
  readonly log: VerifierKey;
  readonly origin: string;
  readonly verify: typeof verifyEd25519;
} {
  return { log, origin: log.name, verify: verifyEd25519 };
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request) {
    if (!(part instanceof Buffer)) continue;
    length += part.length;
    if (length > requestLengthMax) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

async function answer(desk: WitnessDesk, request: IncomingMessage): Promise<Answer> {
  const path = request.url ?? '';
  if (request.method === 'POST' && path.endsWith('/add-checkpoint')) {
    const body = await bodyOf(request);
    return body === undefined ? { status: 413, body: 'too long\n' } : desk.add(body);
  }
  const [, originHash] = /\/([0-9a-f]{64})\/checkpoint$/u.exec(path) ?? [];
  if (request.method === 'GET' && originHash !== undefined) return desk.checkpoint(originHash);
  return { status: 404, body: 'POST add-checkpoint, GET <SHA-256 of the origin>/checkpoint\n' };
}

function send(response: ServerResponse, { status, body, type }: Answer): void {
  response.writeHead(status, { 'content-type': type ?? 'text/plain; charset=utf-8' });
  response.end(body);
}

/** A server of a witness over HTTP; TLS is for a proxy before it. */
export function witnessServer(desk: WitnessDesk): Server {
  return createServer((request, response) => {
    answer(desk, request).then(
      (found) => send(response, found),
      // What could not be stored was not signed either.
      () => send(response, { status: 500, body: 'the witness could not keep its state\n' }),
    );
  });
}
