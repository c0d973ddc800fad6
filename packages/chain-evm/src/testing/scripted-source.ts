import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { invariant } from '@bulkhead/domain';
import type { RpcCall } from '../source.ts';

/** What a scripted source does with one call. */
export type ScriptedAnswer =
  | { readonly type: 'result'; readonly result: unknown }
  | { readonly type: 'error'; readonly code: number; readonly message: string; readonly data?: unknown }
  /** Any bytes at all as the body. */
  | { readonly type: 'text'; readonly text: string; readonly status?: number }
  /** Closes the connection without an answer. */
  | { readonly type: 'hang-up' }
  /** Keeps the connection open and never answers. */
  | { readonly type: 'silence' };

/** Decides the answer to a call; `forward` asks the real node. */
export type Script = (call: RpcCall, forward: (call?: RpcCall) => Promise<ScriptedAnswer>) => Promise<ScriptedAnswer>;

/** A JSON-RPC endpoint that stands in front of a real node and answers as its script says. */
export interface ScriptedSource extends AsyncDisposable {
  readonly url: string;
  /** Calls received since the start or the last `forget`, by method. */
  readonly calls: ReadonlyMap<string, number>;
  readonly callCount: number;
  forget(): void;
  /** Replaces the script from the next call on. */
  play(script: Script): void;
  stop(): Promise<void>;
}

/** Starts a scripted source on the loopback interface; it is honest until told otherwise. `target` is the real node's URL. */
export async function startScriptedSource(target: string, script: Script = honest): Promise<ScriptedSource> {
  const calls = new Map<string, number>();
  let current = script;
  const server = createServer((request, response) => {
    serve({ request, response, target, calls, script: current }).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const stop = async (): Promise<void> => await close(server);
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    calls,
    get callCount(): number {
      return [...calls.values()].reduce((sum, count) => sum + count, 0);
    },
    forget: () => calls.clear(),
    play: (next) => {
      current = next;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Passes everything through. */
export const honest: Script = async (_call, forward) => await forward();

/** Is gone: every connection is closed. */
export const dead: Script = async () => ({ type: 'hang-up' });

/** Takes calls and never answers. */
export const silent: Script = async () => ({ type: 'silence' });

/** Answers rightly, late. */
export function slow(delayMs: number): Script {
  return async (_call, forward) => {
    await pause(delayMs);
    return await forward();
  };
}

/** Answers everything with the same text, with HTTP status 200 unless said. */
export function babbling(words: string, status = 200): Script {
  return async () => ({ type: 'text', text: words, status });
}

/** Does not know some methods. */
export function without(...methods: readonly string[]): Script {
  return async (call, forward) =>
    methods.includes(call.method)
      ? { type: 'error', code: -32_601, message: `the method ${call.method} does not exist/is not available` }
      : await forward();
}

/** Changes the results of one method, in whatever way. */
export function altering(method: string, alter: (result: unknown, call: RpcCall) => unknown): Script {
  return async (call, forward) => {
    const answer = await forward();
    if (call.method !== method || answer.type !== 'result') return answer;
    return { type: 'result', result: alter(answer.result, call) };
  };
}

/** Is some blocks behind: knows nothing above its own head. */
export function lagging(blocks: bigint): Script {
  return async (call, forward) => {
    const [at, ...rest] = call.params;
    if (call.method !== 'eth_getBlockByNumber' || typeof at !== 'string') return await forward();
    const head = await heightOf('latest', forward);
    const own = head > blocks ? head - blocks : 0n;
    if (at === 'latest') return await forward({ method: call.method, params: [`0x${own.toString(16)}`, ...rest] });
    if (at === 'finalized') {
      const final = await heightOf('finalized', forward);
      const ownFinal = final > blocks ? final - blocks : 0n;
      return await forward({ method: call.method, params: [`0x${ownFinal.toString(16)}`, ...rest] });
    }
    return BigInt(at) > own ? { type: 'result', result: null } : await forward();
  };
}

async function heightOf(tag: string, forward: (call: RpcCall) => Promise<ScriptedAnswer>): Promise<bigint> {
  const answer = await forward({ method: 'eth_getBlockByNumber', params: [tag, false] });
  if (answer.type !== 'result' || typeof answer.result !== 'object' || answer.result === null) return 0n;
  return 'number' in answer.result ? BigInt(String(answer.result.number)) : 0n;
}

type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: string;
  readonly calls: Map<string, number>;
  readonly script: Script;
};

async function serve(exchange: Exchange): Promise<void> {
  const { request, response, target, calls, script } = exchange;
  const { id, call } = readCall(await text(request));
  calls.set(call.method, (calls.get(call.method) ?? 0) + 1);
  const answer = await script(call, async (other) => await ask(target, other ?? call));
  switch (answer.type) {
    case 'result':
      reply(response, JSON.stringify({ jsonrpc: '2.0', id, result: answer.result }));
      return;
    case 'error': {
      const { code, message, data } = answer;
      reply(response, JSON.stringify({ jsonrpc: '2.0', id, error: { code, message, data } }));
      return;
    }
    case 'text':
      reply(response, answer.text, answer.status);
      return;
    case 'hang-up':
      response.destroy();
      return;
    case 'silence':
      return;
    default:
      answer satisfies never;
  }
}

function reply(response: ServerResponse, body: string, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(body);
}

async function ask(target: string, call: RpcCall): Promise<ScriptedAnswer> {
  const response = await fetch(target, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...call }),
  });
  const answer: unknown = await response.json();
  invariant(typeof answer === 'object' && answer !== null, 'The real node answers with an object.');
  if ('result' in answer) return { type: 'result', result: answer.result };
  const error = 'error' in answer ? answer.error : undefined;
  invariant(typeof error === 'object' && error !== null, 'The real node answers with a result or an error.');
  const code = 'code' in error ? Number(error.code) : 0;
  const message = 'message' in error ? String(error.message) : '';
  return { type: 'error', code, message, ...('data' in error ? { data: error.data } : {}) };
}

function readCall(json: string): { id: unknown; call: RpcCall } {
  const body: unknown = JSON.parse(json);
  invariant(
    typeof body === 'object' && body !== null && 'method' in body && 'params' in body,
    'A call has a method and parameters.',
  );
  const params: unknown = body.params;
  invariant(Array.isArray(params), 'Parameters are a list.');
  return { id: 'id' in body ? body.id : null, call: { method: String(body.method), params } };
}

function portOf(server: Server): number {
  const address = server.address();
  invariant(typeof address === 'object' && address !== null, 'A server that listens has an address.');
  return address.port;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
}
