import { createHash } from 'node:crypto';
import scalar from '@scalar/fastify-api-reference';
import { CustodyError } from '@bulkhead/domain';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { problemPage } from './catalogue.ts';
import type { CatalogueRow } from './catalogue.ts';
import { completeDocument } from './openapi.ts';
import { problemCodes, statusOf } from './status.ts';

/** Whether the parts behind the API can do their work, and if not, why. */
export type Readiness = { readonly ready: boolean; readonly reasons: readonly string[] };

const tag = 'System';
const alive = z.strictObject({ status: z.literal('alive') });
const ready = z.strictObject({ ready: z.boolean(), reasons: z.array(z.string()) });
const plain = { content: { 'text/plain': { schema: z.string() } } };

type SystemParts = {
  readonly readiness: () => Promise<Readiness>;
  readonly metrics: () => Promise<string>;
  readonly catalogue: ReadonlyMap<string, CatalogueRow>;
};

/** Routes that need no token: they tell nothing about clients. */
export function registerSystem(app: FastifyInstance, parts: SystemParts): void {
  registerProbes(app, parts);
  app.get(
    '/openapi.json',
    { schema: { tags: [tag], summary: 'This document', response: { 200: z.unknown() } } },
    async (_request, reply) => reply.type('application/json; charset=utf-8').send(JSON.stringify(document(app))),
  );
  const problemSchema = {
    tags: [tag],
    summary: 'Explains a code of a problem document',
    params: z.strictObject({ noun: z.string(), reason: z.string() }),
    response: { 200: { description: 'Meaning, why, what to do', ...plain } },
  };
  app.get<{ Params: { noun: string; reason: string } }>(
    '/problems/:noun/:reason',
    { schema: problemSchema },
    async (request, reply) => {
      const { noun, reason } = request.params;
      const code = problemCodes.find((known) => known === `${noun}/${reason}`);
      const row = code === undefined ? undefined : parts.catalogue.get(code);
      if (code === undefined || row === undefined) {
        throw new CustodyError('request/unknown-route', 'There is no problem of this name.');
      }
      return reply.type('text/plain; charset=utf-8').send(problemPage(row, statusOf[code]));
    },
  );
}

function registerProbes(app: FastifyInstance, parts: SystemParts): void {
  const healthSchema = { tags: [tag], summary: 'Says that the process answers', response: { 200: alive } };
  app.get('/healthz', { schema: healthSchema }, async () => ({ status: 'alive' }));

  const readySchema = {
    tags: [tag],
    summary: 'Says whether the process can do its work',
    response: { 200: ready, 503: ready },
  };
  app.get('/readyz', { schema: readySchema }, async (_request, reply) => {
    const state = await readinessOf(parts);
    return reply.code(state.ready ? 200 : 503).send(state);
  });

  const metricsSchema = {
    tags: [tag],
    summary: 'Measurements in the text format of Prometheus',
    response: { 200: { description: 'Measurements', ...plain } },
  };
  app.get('/metrics', { schema: metricsSchema }, async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await parts.metrics()),
  );
}

async function readinessOf(parts: SystemParts): Promise<Readiness> {
  try {
    return await parts.readiness();
  } catch (error) {
    return { ready: false, reasons: [error instanceof Error ? error.message : 'The check of the parts failed.'] };
  }
}

const documents = new WeakMap<FastifyInstance, unknown>();

/** Routes do not change after the start, so the document is made once. */
function document(app: FastifyInstance): unknown {
  const made = documents.get(app) ?? completeDocument(app.swagger());
  documents.set(app, made);
  return made;
}

/**
 * The readable documentation. Script and style come from this server, and the policy lets the page fetch from nowhere else. The
 * one script inside the page is named by its hash, so no other can run.
 */
export async function registerDocs(app: FastifyInstance): Promise<void> {
  await app.register(scalar, {
    routePrefix: '/docs',
    configuration: {
      url: '/openapi.json',
      pageTitle: 'Bulkhead API',
      withDefaultFonts: false,
      hideClientButton: true,
      telemetry: false,
      showDeveloperTools: 'never',
      agent: { disabled: true },
      mcp: { disabled: true },
    },
  });
  app.addHook('onSend', async (request, reply, payload) => {
    if (!request.url.startsWith('/docs/') || typeof payload !== 'string') return payload;
    const inline = [...payload.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/gu)].map(
      ([, script = '']) => `'sha256-${createHash('sha256').update(script, 'utf8').digest('base64')}'`,
    );
    if (String(reply.getHeader('content-type')).startsWith('text/html')) {
      reply.header(
        'content-security-policy',
        `default-src 'none'; script-src 'self' ${inline.join(' ')}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
      );
    }
    return payload;
  });
}
