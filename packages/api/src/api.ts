import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { CustodyError, invariant, refuse } from '@bulkhead/domain';
import Fastify, { LogController } from 'fastify';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { serializerCompiler } from 'fastify-type-provider-zod';
import { readCatalogue } from './catalogue.ts';
import type { CatalogueRow } from './catalogue.ts';
import { endConnectionsOnClose, guardEveryRequest, setHeaders, withinLoad, withinTime } from './guard.ts';
import type { Load } from './guard.ts';
import { fingerprint, parseIdempotencyKey } from './idempotency.ts';
import type { Actor, OperationName, Operations } from './operations.ts';
import { registerOpenapi, routeSchema } from './openapi.ts';
import { allowedRoles, clientsOwn } from './permission.ts';
import { problemDocument, problemMediaType } from './problem.ts';
import type { Fact } from './problem.ts';
import type { Answer, Route } from './route/route.ts';
import { routes } from './route/table.ts';
import { faultFrom, statusOf } from './status.ts';
import { registerLog } from './public-log.ts';
import type { PublicLog } from './public-log.ts';
import { registerReserves } from './public-reserves.ts';
import type { PublicReserves } from './public-reserves.ts';
import { registerDocs, registerSystem } from './system.ts';
import type { Readiness } from './system.ts';
import { tokenBook } from './token.ts';
import type { Token } from './token.ts';

/** Bounds on what one caller can make the server do. */
export type ApiLimits = {
  readonly bodyBytesMax: number;
  /** A path parameter; the longest that means anything is an id. */
  readonly parameterCharsMax: number;
  /** A request must have arrived whole within this time. */
  readonly receiveTimeMsMax: number;
  /** An operation must have answered within this time; the work of a write may go on, and its key finds the answer. */
  readonly answerTimeMsMax: number;
  /** An idle connection is kept this long. */
  readonly idleTimeMsMax: number;
  /** Operations under way. */
  readonly inFlightMax: number;
  readonly connectionsMax: number;
};

export const apiLimits: ApiLimits = {
  bodyBytesMax: 256 * 1024,
  parameterCharsMax: 120,
  receiveTimeMsMax: 15_000,
  answerTimeMsMax: 30_000,
  idleTimeMsMax: 10_000,
  inFlightMax: 2_000,
  connectionsMax: 4_000,
};

export type ApiOptions = {
  readonly operations: Operations;
  readonly tokens: readonly Token[];
  /** A pino logger. One line for each answer: never headers, bodies or queries. */
  readonly logger?: FastifyBaseLogger;
  readonly limits?: Partial<ApiLimits>;
  /** Names, without port, under which the server may be called beside loopback. */
  readonly hosts?: readonly string[];
  readonly readiness: () => Promise<Readiness>;
  /** The audit log as everybody may read it. */
  readonly publicLog: PublicLog;
  /** Files of proofs of reserves as everybody may read them. */
  readonly publicReserves: PublicReserves;
  /** Text in the format of Prometheus. */
  readonly metrics: () => Promise<string>;
  /** Told of every answer, for measurements. `route` is the pattern of the path, so that there are few of them. */
  readonly onAnswer?: (answer: AnswerMeasure) => void;
  /**
   * Told of what an auditor read, before the answer leaves. Resolved means that it is written down; if it cannot be, there is no answer.
   */
  readonly onAuditorRead: (reading: Reading) => Promise<void>;
};

/** What somebody was shown. */
export type Reading = {
  readonly actor: Actor;
  readonly operation: OperationName;
  /** What the path and the query named, as it was sent. */
  readonly asked: Readonly<Record<string, string>>;
};

export type AnswerMeasure = {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
};

/** Version of the documented interface. */
const version = '0.1.0';
const actors = new WeakMap<FastifyRequest, Actor>();

/**
 * Makes the HTTP server over the operations; `await app.listen({ host: '127.0.0.1', port })` starts it and `app.close()` ends
 * it after the requests under way are answered.
 *
 * @throws CustodyError `config/invalid` for tokens that cannot be used
 */
export async function createApi(options: ApiOptions): Promise<FastifyInstance> {
  const limits = { ...apiLimits, ...options.limits };
  const catalogue = readCatalogue();
  const actorOf = tokenBook(options.tokens);
  const app = bareServer(limits, catalogue, options.logger);
  guardEveryRequest(app, options.hosts ?? []);
  const load: Load = { inFlight: 0 };
  endConnectionsOnClose(app);
  answerProblems(app, catalogue);
  readJsonOnly(app);
  logAnswers(app, options.onAnswer);
  await registerOpenapi(app, version);
  await registerDocs(app);
  app.after(() => {
    registerSystem(app, { readiness: options.readiness, metrics: options.metrics, catalogue });
    const within = <T>(work: () => Promise<T>): Promise<T> =>
      withinTime(limits.answerTimeMsMax, withinLoad(load, limits.inFlightMax, work));
    registerLog(app, options.publicLog, within);
    registerReserves(app, options.publicReserves, within);
    const { operations, onAuditorRead } = options;
    const parts = { operations, actorOf, catalogue, load, limits, onAuditorRead };
    for (const route of routes) registerRoute(app, route, parts);
  });
  await app.ready();
  return app;
}

function bareServer(
  limits: ApiLimits,
  catalogue: ReadonlyMap<string, CatalogueRow>,
  logger: FastifyBaseLogger | undefined,
): FastifyInstance {
  const app: FastifyInstance = Fastify({
    ...(logger === undefined ? { logger: false } : { loggerInstance: logger }),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    trustProxy: false,
    exposeHeadRoutes: false,
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.receiveTimeMsMax,
    keepAliveTimeout: limits.idleTimeMsMax,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: limits.parameterCharsMax, caseSensitive: true, ignoreTrailingSlash: false },
    frameworkErrors: (error, request, reply) => {
      setHeaders(reply, request.id);
      sendProblem(reply, factOf(faultFrom(error)), { requestId: request.id, catalogue });
    },
    clientErrorHandler: refuseUnreadable,
  });
  app.server.maxConnections = limits.connectionsMax;
  // Routes parse what they take themselves and report every objection at once; the schemas here only document them.
  app.setValidatorCompiler(() => (value: unknown) => ({ value }));
  app.setSerializerCompiler(serializerCompiler);
  return app;
}

/** Bytes that are not HTTP, headers without end, a request that does not arrive: answered below the framework. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return;
  const status =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? '408 Request Timeout'
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : '400 Bad Request';
  const body = JSON.stringify({
    type: '/problems/request/malformed',
    title: 'The request is not HTTP that can be read.',
    status: Number(status.slice(0, 3)),
    detail: 'The connection was closed: the request did not arrive whole, or its headers are too long or malformed.',
    code: 'request/malformed',
    instance: `urn:uuid:${randomUUID()}`,
  });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: ${problemMediaType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function factOf(fault: CustodyError): Fact {
  return { code: fault.code, message: fault.message, details: fault.details };
}

function sendProblem(
  reply: FastifyReply,
  fact: Fact,
  context: { readonly requestId: string; readonly catalogue: ReadonlyMap<string, CatalogueRow> },
): FastifyReply {
  const status = statusOf[fact.code];
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="bulkhead"');
  if (status === 429 || status === 503 || fact.code === 'log/receipt-pending') reply.header('retry-after', '1');
  const document = problemDocument(fact, context.requestId, context.catalogue.get(fact.code));
  return reply.code(status).type(problemMediaType).send(JSON.stringify(document));
}

function answerProblems(app: FastifyInstance, catalogue: ReadonlyMap<string, CatalogueRow>): void {
  app.setErrorHandler((error, request, reply) => {
    const fault = faultFrom(error);
    if (statusOf[fault.code] >= 500) request.log.error({ err: fault }, 'request failed');
    return sendProblem(reply, factOf(fault), { requestId: request.id, catalogue });
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `There is no ${request.method} at this path. /openapi.json has all there is.`;
    return sendProblem(reply, { code: 'request/unknown-route', message }, { requestId: request.id, catalogue });
  });
}

/** JSON in well-formed UTF-8 and nothing else. An empty body is an absent one; `null` is neither that nor an object. */
function readJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const parser = async (_request: FastifyRequest, body: Buffer): Promise<unknown> =>
    body.length === 0 ? undefined : parseJson(body);
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, parser);
}

function parseJson(body: Buffer): unknown {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'The body is not JSON.' : 'The body is not well-formed UTF-8.';
    throw new CustodyError('request/malformed', `${reason} Send one JSON object.`, { cause: error });
  }
  if (value === null) throw new CustodyError('request/malformed', 'The body is null. Send one JSON object.');
  return value;
}

function logAnswers(app: FastifyInstance, onAnswer: ApiOptions['onAnswer']): void {
  app.addHook('onResponse', async (request, reply) => {
    const actor = actors.get(request);
    const measure: AnswerMeasure = {
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      status: reply.statusCode,
      durationMs: reply.elapsedTime,
    };
    onAnswer?.(measure);
    request.log.info(
      {
        ...measure,
        durationMs: Math.round(measure.durationMs),
        ...(actor === undefined ? {} : { actor: actor.name, role: actor.role }),
      },
      'answered',
    );
  });
}

type RouteParts = {
  readonly operations: Operations;
  readonly actorOf: (authorization: string | undefined) => Actor | undefined;
  readonly catalogue: ReadonlyMap<string, CatalogueRow>;
  readonly load: Load;
  readonly limits: ApiLimits;
  readonly onAuditorRead: ApiOptions['onAuditorRead'];
};

function registerRoute(app: FastifyInstance, route: Route, parts: RouteParts): void {
  app.route({
    method: route.method,
    url: route.url,
    schema: routeSchema(route),
    ...(route.bodyBytesMax === undefined ? {} : { bodyLimit: route.bodyBytesMax }),
    // Before the body is read: a stranger does not make us read one.
    onRequest: async (request) => {
      actors.set(request, authorise(route, parts.actorOf(request.headers.authorization)));
    },
    handler: async (request, reply) => {
      const actor = actors.get(request);
      invariant(actor !== undefined, 'A request without a known caller reached its operation.');
      const { params, query } = request;
      assertOwn(route, actor, params);
      const body = request.body ?? {};
      const idempotency = (): { key: string; fingerprint: string } => ({
        key: parseIdempotencyKey(request.headers['idempotency-key']),
        fingerprint: fingerprint({ method: route.method, route: route.url, params, body }),
      });
      const work = withinLoad(parts.load, parts.limits.inFlightMax, () =>
        route.answer(parts.operations, { actor, params, query, body, idempotency }),
      );
      const answered = await withinTime(parts.limits.answerTimeMsMax, work);
      const answer = ownOnly(route, actor, answered);
      if (actor.role === 'auditor' && answer.status === 'done') {
        const asked = { ...textsOf(params), ...textsOf(query) };
        await parts.onAuditorRead({ actor, operation: route.operation, asked });
      }
      return sendAnswer(reply, route, { answer, requestId: request.id, catalogue: parts.catalogue });
    },
  });
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  const fields = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return Object.fromEntries(fields.filter((field): field is [string, string] => typeof field[1] === 'string'));
}

function authorise(route: Route, actor: Actor | undefined): Actor {
  if (actor === undefined) {
    throw new CustodyError(
      'request/unauthenticated',
      'Send Authorization: Bearer with a token that the configuration knows.',
    );
  }
  const needed = allowedRoles[route.operation];
  if (!needed.includes(actor.role)) {
    throw new CustodyError(
      'request/forbidden',
      `${actor.name} is ${actor.role}; ${route.operation} needs one of: ${needed.join(', ')}.`,
      { details: { operation: route.operation, role: actor.role, needed: needed.join(', ') } },
    );
  }
  return actor;
}

/** A client gets what is about itself, whatever path it asks for. */
function assertOwn({ operation }: Route, { name, role, clientId }: Actor, params: unknown): void {
  if (role !== 'client') return;
  const whose = clientsOwn[operation];
  const named = whose === 'path' ? fieldOf(params, 'clientId') : clientId;
  if (whose !== undefined && clientId !== undefined && named === clientId) return;
  throw new CustodyError('request/forbidden', `${name} may read what is about client ${clientId ?? 'nobody'} alone.`, {
    details: { operation, role },
  });
}

/** What turns out to be about another client is not there for this one. */
function ownOnly({ operation }: Route, { role, clientId }: Actor, answer: Answer): Answer {
  if (role !== 'client' || clientsOwn[operation] !== 'answer' || answer.status !== 'done') return answer;
  if (fieldOf(answer.view, 'clientId') === clientId) return answer;
  const refused = refuse('resource/not-found', 'There is no such thing of this client.', {});
  return { status: 'refused', refused, hit: false };
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? new Map<string, unknown>(Object.entries(value)).get(name)
    : undefined;
}

function sendAnswer(
  reply: FastifyReply,
  route: Route,
  sent: { readonly answer: Answer; readonly requestId: string; readonly catalogue: ReadonlyMap<string, CatalogueRow> },
): FastifyReply {
  const { answer } = sent;
  if ((answer.status === 'done' || answer.status === 'refused') && answer.hit) reply.header('idempotency-hit', 'true');
  switch (answer.status) {
    case 'done':
      if (answer.facts.length > 0) reply.header('log-facts', answer.facts.join(', '));
      return reply.code(route.success).type('application/json; charset=utf-8').send(answer.view);
    case 'refused':
      return sendProblem(reply, answer.refused, sent);
    case 'malformed': {
      const [first] = answer.errors;
      const message = `The request cannot be read: ${first === undefined ? 'it has another form' : `${first.in} ${first.pointer}: ${first.detail}`}`;
      return sendProblem(reply, { code: 'request/malformed', message, errors: answer.errors }, sent);
    }
    case 'key-reused': {
      const message =
        'This Idempotency-Key belongs to an earlier request of yours with another content. Choose a new key for a new wish.';
      return sendProblem(reply, { code: 'request/idempotency-key-reused', message }, sent);
    }
  }
}
