import { setTimeout as pause } from 'node:timers/promises';
import { CustodyError, readAtMost } from '@bulkhead/domain';
import { excerpt, nonsense, readFields, readText } from './shape.ts';

/** What one source may cost us. */
export type SourceLimits = {
  /** One call, from connecting to the last byte. */
  readonly callTimeoutMs: number;
  /** Longest answer that is read. A full block of a busy chain with its traces has tens of megabytes. */
  readonly answerBytesMax: number;
  /** How often a read that nobody answered is asked again. A broadcast never is. */
  readonly readRetries: number;
  /** Pause before the first retry; it doubles with each further one. */
  readonly retryPauseMs: number;
};

export const sourceLimits: SourceLimits = {
  callTimeoutMs: 10_000,
  answerBytesMax: 128 * 1024 * 1024,
  readRetries: 2,
  retryPauseMs: 200,
};

export type RpcCall = { readonly method: string; readonly params: readonly unknown[] };

/** A node answers with a result or refuses with a JSON-RPC error. Both are answers. */
export type RpcAnswer =
  | { readonly ok: true; readonly result: unknown }
  | {
      readonly ok: false;
      readonly code: number;
      readonly message: string;
      readonly data: unknown;
    };

export type RpcRefusal = Extract<RpcAnswer, { ok: false }>;

/** One JSON-RPC endpoint over HTTP. */
export interface Source {
  /** Host and port. Never more of the URL: paths and queries carry access keys. */
  readonly name: string;
  /**
   * Asks, and asks again when nobody answers.
   *
   * @throws CustodyError `chain/unavailable`, `chain/nonsense`
   */
  ask(call: RpcCall, signal?: AbortSignal): Promise<RpcAnswer>;
  /** As `ask`, where a refusal is as good as no answer. */
  read(call: RpcCall, signal?: AbortSignal): Promise<unknown>;
  /** Asks once, for calls with an effect. */
  send(call: RpcCall): Promise<RpcAnswer>;
}

/** JSON-RPC codes and words that ask to come back later. */
const limitExceededCode = -32_005;
const laterWords = /rate limit|too many requests|limit exceeded|timed? ?out|try again/iu;

/** @throws CustodyError `config/invalid` when the URL is not one of HTTP; the message does not repeat it */
export function openSource(url: string, limits: SourceLimits = sourceLimits): Source {
  const endpoint = parseEndpoint(url);
  let lastId = 0;
  const once = async (call: RpcCall, signal: AbortSignal | undefined): Promise<RpcAnswer> => {
    lastId += 1;
    return await exchange({ endpoint, limits, call, id: lastId, signal });
  };
  const ask = async (call: RpcCall, signal?: AbortSignal): Promise<RpcAnswer> => {
    for (let retry = 0; ; retry++) {
      try {
        return await once(call, signal);
      } catch (error) {
        const later = error instanceof CustodyError && error.code === 'chain/unavailable';
        if (!later || retry >= limits.readRetries || signal?.aborted === true) throw error;
      }
      await pause(limits.retryPauseMs * 2 ** retry);
    }
  };
  return {
    name: endpoint.name,
    ask,
    read: async (call, signal) => {
      const answer = await ask(call, signal);
      if (answer.ok) return answer.result;
      throw refused(call, answer);
    },
    send: async (call) => await once(call, undefined),
  };
}

/** The fault for a read that a node declined: nothing is known. */
export function refused(call: RpcCall, refusal: RpcRefusal): CustodyError {
  return new CustodyError(
    'chain/unavailable',
    `The node refused ${call.method}: ${excerpt(refusal.message)} (${refusal.code}).`,
  );
}

type Endpoint = { readonly url: string; readonly name: string; readonly authorization?: string };

function parseEndpoint(text: string): Endpoint {
  if (!URL.canParse(text) || !/^https?:$/u.test(new URL(text).protocol)) {
    throw new CustodyError(
      'config/invalid',
      'A chain source is not an http or https URL. It is not repeated here, because such URLs carry access keys.',
    );
  }
  const url = new URL(text);
  const name = url.host;
  if (url.username === '' && url.password === '') return { url: url.href, name };
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  return {
    url: url.href,
    name,
    authorization: `Basic ${Buffer.from(pair).toString('base64')}`,
  };
}

type Exchange = {
  readonly endpoint: Endpoint;
  readonly limits: SourceLimits;
  readonly call: RpcCall;
  readonly id: number;
  readonly signal: AbortSignal | undefined;
};

async function exchange(request: Exchange): Promise<RpcAnswer> {
  const { call, id } = request;
  const body = await fetchText(request);
  let answer: unknown;
  try {
    answer = JSON.parse(body.text);
  } catch {
    if (body.status !== 200) throw unanswered(call, `HTTP status ${body.status}`);
    throw nonsense(`${call.method} was answered by something that is not JSON`, body.text);
  }
  // A proxy in front of a node has its own error pages, in JSON too.
  if (body.status !== 200 && !isRpcAnswer(answer, id)) {
    throw unanswered(call, `HTTP status ${body.status}`);
  }
  const fields = readFields(answer, `the answer to ${call.method}`);
  if (fields['error'] !== undefined && fields['error'] !== null) {
    return readRefusal(call, fields['error']);
  }
  if (fields['id'] !== id) throw nonsense(`${call.method} ${id} was answered as`, fields['id']);
  if (fields['result'] === undefined) throw nonsense(`${call.method} has no result`, answer);
  return { ok: true, result: fields['result'] };
}

function isRpcAnswer(answer: unknown, id: number): boolean {
  if (typeof answer !== 'object' || answer === null) return false;
  return 'id' in answer && answer.id === id && ('result' in answer || 'error' in answer);
}

function readRefusal(call: RpcCall, value: unknown): RpcAnswer {
  const error = readFields(value, `the error of ${call.method}`);
  const message = readText(error['message'] ?? '', `the message of the error of ${call.method}`);
  const code = typeof error['code'] === 'number' ? error['code'] : 0;
  if (code === limitExceededCode || laterWords.test(message)) throw unanswered(call, message);
  return { ok: false, code, message, data: error['data'] };
}

async function fetchText(request: Exchange): Promise<{ status: number; text: string }> {
  const { endpoint, limits, call, id } = request;
  const timeout = AbortSignal.timeout(limits.callTimeoutMs);
  const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (endpoint.authorization !== undefined) headers['authorization'] = endpoint.authorization;
  try {
    const response = await fetch(endpoint.url, {
      method: 'POST',
      headers,
      body: JSON.stringify({ jsonrpc: '2.0', id, ...call }),
      redirect: 'error',
      signal,
    });
    const bytes = await readAtMost(response.body, limits.answerBytesMax);
    if (bytes === undefined) throw tooLong(call, limits);
    return { status: response.status, text: Buffer.from(bytes.buffer).toString('utf8') };
  } catch (error) {
    if (error instanceof CustodyError) throw error;
    // The cause is left out on purpose: the runtime's errors repeat the URL.
    const seconds = limits.callTimeoutMs / 1000;
    throw unanswered(call, timeout.aborted ? `nothing within ${seconds} s` : reasonOf(error));
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (cause instanceof Error && 'code' in cause) return String(cause.code);
  return error instanceof Error && error.name === 'AbortError' ? 'not needed any more' : 'no connection';
}

function unanswered(call: RpcCall, reason: string): CustodyError {
  return new CustodyError('chain/unavailable', `${call.method} was not answered: ${excerpt(reason)}.`);
}

function tooLong(call: RpcCall, limits: SourceLimits): CustodyError {
  return nonsense(`the answer to ${call.method} is longer than ${limits.answerBytesMax} bytes`);
}
