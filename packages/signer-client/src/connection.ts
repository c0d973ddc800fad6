import { CustodyError } from '@bulkhead/domain';
import { type ClientCredentials, dial, type Dialled, type Endpoint } from './endpoint.ts';
import { createFrameReader, frameOf, lengthBytes } from './frame.ts';
import { answerBytesMax, answeredId, frameBytesMax, frameBytesOrdinary, type Method } from './protocol.ts';
import { type AnswerFrame, readAnswer, type RequestFrame, requestText } from './wire.ts';

/** How long it may take until a connection stands, handshake included. */
export const connectMsMax = 5_000;

type Waiting = {
  readonly method: Method;
  readonly resolve: (ok: unknown) => void;
  readonly reject: (error: CustodyError) => void;
  readonly timer: NodeJS.Timeout;
};

/** One socket and the requests that wait on it. Once broken it stays so. */
export type Connection = {
  readonly broken: boolean;
  ask(frame: RequestFrame, timeoutMs: number): Promise<unknown>;
  close(reason: CustodyError): void;
};

export type ConnectionOptions = {
  readonly endpoint: Endpoint;
  readonly credentials: ClientCredentials | undefined;
  readonly onBroken: () => void;
};

/** @throws CustodyError `config/invalid` where mutual TLS has no credentials */
export function openConnection({ endpoint, credentials, onBroken }: ConnectionOptions): Connection {
  const waiting = new Map<string, Waiting>();
  let broken = false;
  const { socket, ready } = dial(endpoint, credentials);

  const close = (reason: CustodyError): void => {
    if (broken) return;
    broken = true;
    onBroken();
    socket.destroy();
    for (const { reject, timer } of waiting.values()) {
      clearTimeout(timer);
      reject(reason);
    }
    waiting.clear();
  };

  const settle = (answer: AnswerFrame): void => {
    const request = waiting.get(answer.id);
    // An answer that nobody waits for came after its time, or says why the whole connection ends.
    if (request === undefined) {
      if (answer.id === '' && 'error' in answer) close(faultOf(answer));
      return;
    }
    waiting.delete(answer.id);
    clearTimeout(request.timer);
    if ('ok' in answer) request.resolve(answer.ok);
    else request.reject(faultOf(answer));
  };

  const reader = createFrameReader((opening) => {
    const method = waiting.get(answeredId(opening) ?? '')?.method;
    return method === undefined ? frameBytesOrdinary : answerBytesMax[method];
  });
  attend({
    endpoint,
    socket,
    ready,
    close,
    take: (piece) => reader.read(piece).forEach((text) => settle(readAnswer(text))),
  });

  const ask = (frame: RequestFrame, timeoutMs: number): Promise<unknown> => {
    const bytes = frameOf(requestText(frame));
    const { id, method } = frame;
    if (bytes.length - lengthBytes > frameBytesMax[method]) {
      const message = `A request "${method}" of ${bytes.length} bytes is too long: at most ${frameBytesMax[method]}. Send less at once.`;
      return Promise.reject(new CustodyError('signer/protocol', message));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(id);
        reject(unreachable(endpoint, `no answer within ${timeoutMs} ms`));
      }, timeoutMs);
      waiting.set(id, { method, resolve, reject, timer });
      socket.write(bytes);
    });
  };

  return {
    get broken() {
      return broken;
    },
    ask,
    close,
  };
}

type Attended = Dialled & {
  readonly endpoint: Endpoint;
  readonly close: (reason: CustodyError) => void;
  /** Throws where the piece makes no sense. */
  readonly take: (piece: Uint8Array) => void;
};

/** What happens to the socket by itself: it arrives, delivers, fails and ends. */
function attend({ endpoint, socket, ready, close, take }: Attended): void {
  const arrival = setTimeout(() => {
    close(unreachable(endpoint, `no connection within ${connectMsMax} ms`));
  }, connectMsMax);
  socket.setNoDelay(true);
  socket.once(ready, () => {
    clearTimeout(arrival);
  });
  socket.on('data', (piece) => {
    try {
      take(piece);
    } catch (error) {
      close(error instanceof CustodyError ? error : nonsense(error));
    }
  });
  socket.on('error', (error) => {
    close(unreachable(endpoint, error.message));
  });
  socket.on('close', () => {
    clearTimeout(arrival);
    close(unreachable(endpoint, 'it ended the connection'));
  });
}

function faultOf({
  error,
}: {
  readonly error: {
    readonly code: CustodyError['code'];
    readonly message: string;
    readonly details: CustodyError['details'];
  };
}): CustodyError {
  return new CustodyError(error.code, error.message, { details: error.details });
}

/** Whether the request was carried out is not known; the signer answers a repetition of it with the same signature. */
function unreachable(endpoint: Endpoint, fact: string): CustodyError {
  const place = endpoint.kind === 'unix' ? endpoint.path : `${endpoint.host}:${endpoint.port}`;
  return new CustodyError(
    'signer/unavailable',
    `The signer at ${place} did not answer: ${fact}. The outcome is unknown; repeat the same request, which is safe.`,
  );
}

function nonsense(cause: unknown): CustodyError {
  return new CustodyError('signer/protocol', 'The signer answered what cannot be read.', { cause });
}
