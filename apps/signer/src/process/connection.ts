import type { Socket } from 'node:net';
import { CustodyError } from '@bulkhead/domain';
import {
  answerText,
  createFrameReader,
  type Fault,
  frameOf,
  type FrameReader,
  readRequest,
  requestBytesAllowed,
} from '@bulkhead/signer-client';
import { prepareCall, type Served } from './dispatch.ts';
import type { ListenLimits } from './limits.ts';
import { errorShape, type Log } from './log.ts';

/** What all connections take up together. */
export type Load = {
  outstanding: number;
  heldBytes: number;
};

export type Serving = {
  readonly signer: Served;
  readonly limits: ListenLimits;
  readonly load: Load;
  readonly log: Log;
  /** Whether the signer is ending: what comes now is not begun. */
  readonly ending: () => boolean;
};

/**
 * Answers the requests of one client until it goes or breaks a rule. A client that is slow, silent or too big loses its connection,
 * and with it the memory it held; work that has begun ends all the same, and its outcome waits in the log for the repetition.
 */
export function serveConnection(socket: Socket, serving: Serving): void {
  const { limits, load } = serving;
  const reader = createFrameReader(requestBytesAllowed);
  let held = 0;
  const account = (bytes: number): void => {
    load.heldBytes += bytes - held;
    held = bytes;
  };
  const patience = createPatience(socket, limits);
  const send = (text: string): void => {
    if (socket.destroyed) return;
    // The first answer of a group leaves at once, so that the client goes on; the others in one piece, because each piece costs a call to
    // the kernel here and a wakening there.
    const first = socket.writableCorked === 0;
    socket.write(frameOf(text));
    if (first) {
      socket.cork();
      setImmediate(() => socket.uncork());
    }
    // The client takes its answers or gets no further ones: what it has not taken is kept for it here.
    if (socket.writableLength > limits.untakenBytesMax && !socket.isPaused()) {
      socket.pause();
      patience.wait(limits.frameMsMax);
    }
  };
  const end = (error: unknown): void => {
    const fault = faultOf(error, serving.log);
    serving.log('warning', 'connection-refused', { code: fault.code, reason: fault.message });
    socket.end(frameOf(answerText({ id: '', error: fault })));
    socket.destroySoon();
  };
  socket.on('drain', () => {
    socket.resume();
    patience.wait(limits.idleMsMax);
  });
  socket.on('data', (piece) => {
    try {
      const frames = take({ piece, reader, serving, send });
      account(reader.heldBytes());
      if (load.heldBytes > limits.heldBytesMax) {
        throw new CustodyError('signer/protocol', 'Half frames of all connections hold too much memory.');
      }
      patience.after({ frames, half: held > 0 });
    } catch (error) {
      end(error);
    }
  });
  socket.on('error', () => {
    socket.destroy();
  });
  socket.on('close', () => {
    account(0);
    patience.end();
  });
}

type Taken = {
  readonly piece: Uint8Array;
  readonly reader: FrameReader;
  readonly serving: Serving;
  readonly send: (text: string) => void;
};

/** Begins the work of every frame that the piece completes, and answers how many those are. */
function take({ piece, reader, serving, send }: Taken): number {
  const texts = reader.read(piece);
  for (const text of texts) {
    const request = readRequest(text);
    const { id } = request;
    const reply = (answer: { readonly ok: unknown } | { readonly error: Fault }): void => {
      send(answerText({ id, ...answer }));
    };
    if ('unknownMethod' in request) {
      const message = `There is no method "${request.unknownMethod}": run signer and client of one release.`;
      reply({ error: { code: 'signer/protocol', message, details: {} } });
    } else {
      work({ method: request.method, params: request.params, serving, reply }).catch((error: unknown) => {
        serving.log('error', 'answer-lost', errorShape(error));
      });
    }
  }
  return texts.length;
}

type Work = {
  readonly method: Parameters<typeof prepareCall>[0];
  readonly params: unknown;
  readonly serving: Serving;
  readonly reply: (answer: { readonly ok: unknown } | { readonly error: Fault }) => void;
};

async function work({ method, params, serving, reply }: Work): Promise<void> {
  const { signer, limits, load, log, ending } = serving;
  if (ending() || load.outstanding >= limits.outstandingMax) {
    const fact = ending() ? 'The signer is ending' : `${load.outstanding} requests are being worked on`;
    reply({ error: { code: 'signer/unavailable', message: `${fact}. Try the same request again.`, details: {} } });
    return;
  }
  // Counted until the work itself ends: what a client has given up still costs.
  load.outstanding += 1;
  const began = performance.now();
  let open = true;
  const answerOnce: Work['reply'] = (answer) => {
    if (open) reply(answer);
    open = false;
  };
  const timer = setTimeout(() => {
    const message = `No answer within ${limits.requestMsMax} ms. The outcome is unknown; repeat the same request, which is safe.`;
    answerOnce({ error: { code: 'signer/unavailable', message, details: {} } });
  }, limits.requestMsMax);
  let intent: string | undefined;
  try {
    const call = prepareCall(method, params);
    intent = call.intent;
    answerOnce({ ok: await call.run(signer) });
    if (intent !== undefined) {
      const ms = Math.round(performance.now() - began);
      // Once the answers of its group have left.
      setImmediate(() => log('info', 'answered', { method, intent, ms }));
    }
  } catch (error) {
    const fault = faultOf(error, log);
    log('warning', 'refused', { method, intent, code: fault.code });
    answerOnce({ error: fault });
  } finally {
    clearTimeout(timer);
    load.outstanding -= 1;
  }
}

/** What a client is told. Foreign errors are told by a code alone: their messages were not written to be read by others. */
function faultOf(error: unknown, log: Log): Fault {
  if (error instanceof CustodyError) return { code: error.code, message: error.message, details: error.details };
  log('error', 'defect', errorShape(error));
  const message = 'The signer met an error of its own. Its log has the place; the request may be repeated.';
  return { code: 'invariant/broken', message, details: {} };
}

type Patience = {
  /** Ends the connection unless it is called again within this time. */
  readonly wait: (ms: number) => void;
  /** After a piece: half a frame has a deadline that more pieces do not move. */
  readonly after: (piece: { readonly frames: number; readonly half: boolean }) => void;
  readonly end: () => void;
};

function createPatience(socket: Socket, limits: ListenLimits): Patience {
  let timer: NodeJS.Timeout | undefined;
  let half = false;
  const wait = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => socket.destroy(), ms);
  };
  wait(limits.frameMsMax);
  return {
    wait,
    after: (piece) => {
      if (socket.isPaused()) return;
      if (!piece.half) wait(limits.idleMsMax);
      else if (!half || piece.frames > 0) wait(limits.frameMsMax);
      half = piece.half;
    },
    end: () => {
      clearTimeout(timer);
    },
  };
}
