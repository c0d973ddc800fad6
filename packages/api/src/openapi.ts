import swagger from '@fastify/swagger';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { z } from 'zod';
import { idempotencyKeyCharsMax } from './idempotency.ts';
import { allowedRoles } from './permission.ts';
import { problem, problemMediaType } from './problem.ts';
import type { Route } from './route/route.ts';

const description = `Custody of crypto-assets, kept apart per compartment in the keys, on the chain and in the books.

- **Amounts** are decimal strings in the asset's smallest unit. **Assets** are CAIP-19 ids, **chains** CAIP-2 ids, **ids** are prefixed UUIDv7.
- **Every write** takes an \`Idempotency-Key\`. The same key with the same body answers the same, with \`Idempotency-Hit: true\`; with another body it is refused. A malformed request does not use up its key, a business refusal does.
- **Receipts**: a write that was done says in \`Log-Facts\` which facts it wrote; each has a receipt of the audit log a moment later.
- **Errors** are problem documents of RFC 9457 with a stable \`code\`; their \`type\` leads to an explanation.
- **Lists** come in pages: pass \`nextCursor\` as \`cursor\` until it is null.`;

const tags = [
  { name: 'Clients', description: 'Who has claims, under which agreement, and kept apart how' },
  { name: 'Compartments', description: 'The ring-fences, their wallets and books, and the assets allowed in them' },
  {
    name: 'Vaults',
    description: 'The contracts of compartments: from the draft to the address, and what the chain says',
  },
  { name: 'Movements', description: 'What arrives from outside and what leaves' },
  { name: 'Sweeps and fees', description: 'What moves inside a compartment, and what clients owe' },
  { name: 'Reconciliation', description: 'Books against chain, and the differences found' },
  {
    name: 'Ledger and chains',
    description: 'The books entry by entry, outgoing transactions, and how far each chain is seen',
  },
  {
    name: 'Signer',
    description: 'The process that holds the keys, its decisions, and who may do what by its registry',
  },
  {
    name: 'Proofs',
    description: 'Proofs of reserves: epochs, what clients are given of them, and files for everybody',
  },
  { name: 'Log', description: 'The audit log as anybody may check it' },
  { name: 'System', description: 'The process itself' },
];

const writeHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]+$/u)
    .max(idempotencyKeyCharsMax)
    .meta({
      description: 'Names this wish: new for each new one, the same when asked again',
      example: '5f0c9a52-2b0e-4b53-8a57-9d1c7f3a0c11',
    }),
});

const problemWords: Readonly<Record<number, string>> = {
  400: 'The request cannot be read',
  401: 'No known bearer token',
  403: 'The role may not do this',
  404: 'There is no such thing',
  409: 'It conflicts with what is, or the key was used for something else',
  413: 'The body is too large',
  415: 'The body is not JSON',
  421: 'The Host header names another server',
  422: 'Understood, and refused by a rule of the business',
  429: 'Too many requests at once',
  500: 'Something here is wrong',
  503: 'Come back later with the same key',
};
const readProblems = [400, 401, 403, 404, 421, 429, 500, 503];
const writeProblems = [...readProblems, 409, 413, 415, 422];

/** What the documentation, and nobody else, needs to know of a route; requests are parsed by the route itself. */
export function routeSchema(route: Route): FastifySchema {
  const problems = route.kind === 'read' ? readProblems : writeProblems;
  const answers = problems.map((status) => [
    status,
    { description: problemWords[status], content: { [problemMediaType]: { schema: problem } } },
  ]);
  const success = {
    description: route.success === 201 ? 'Done; something new exists' : 'Done',
    content: { 'application/json': { schema: route.view } },
  };
  return {
    operationId: route.operation,
    tags: [route.tag],
    summary: route.summary,
    description: `For: ${allowedRoles[route.operation].join(', ')}.`,
    security: [{ bearer: [] }],
    params: route.params,
    querystring: route.query,
    ...(route.body === undefined ? {} : { body: route.body, headers: writeHeaders }),
    response: { [route.success]: success, ...Object.fromEntries(answers) },
  };
}

export async function registerOpenapi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Bulkhead', version, description, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
      tags,
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
}

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The finished document: answers of writes name the `Idempotency-Hit` header, every answer its `Request-Id`, bodies that may be
 * left out say so, and schemas that nothing refers to are gone.
 */
export function completeDocument(document: unknown): unknown {
  const copy: unknown = structuredClone(document);
  if (!isObject(copy) || !isObject(copy['paths'])) return copy;
  for (const methods of Object.values(copy['paths'])) {
    if (isObject(methods)) Object.values(methods).forEach(completeOperation);
  }
  dropUnreferenced(copy);
  return copy;
}

function completeOperation(operation: unknown): void {
  if (!isObject(operation) || !isObject(operation['responses'])) return;
  const body = operation['requestBody'];
  const takesKey = body !== undefined;
  if (isObject(body)) body['required'] = needsBody(body);
  for (const parameter of Array.isArray(operation['parameters']) ? operation['parameters'] : []) {
    if (isObject(parameter) && parameter['name'] === 'idempotency-key') parameter['name'] = 'Idempotency-Key';
  }
  for (const [status, answer] of Object.entries(operation['responses'])) {
    if (!isObject(answer)) continue;
    const id = {
      'Request-Id': { description: 'Names this request in the log', schema: { type: 'string', format: 'uuid' } },
    };
    const hit = {
      'Idempotency-Hit': {
        description: '`true` when the answer was stored by an earlier request with this key',
        schema: { type: 'string', enum: ['true'] },
      },
    };
    const facts = {
      'Log-Facts': {
        description: 'Places of the facts that the call wrote, for `GET /v1/log/receipts/{fact}`',
        schema: { type: 'string' },
        example: '4711, 4712',
      },
    };
    const stored = takesKey && (status.startsWith('2') || ['404', '409', '422'].includes(status));
    const wrote = takesKey && status.startsWith('2') ? facts : {};
    answer['headers'] = stored ? { ...id, ...hit, ...wrote } : id;
  }
}

/** A body without any field that must be there may be left out. */
function needsBody(body: Json): boolean {
  const content = isObject(body['content']) ? body['content']['application/json'] : undefined;
  const schema = isObject(content) ? content['schema'] : undefined;
  return !isObject(schema) || schema['type'] !== 'object' || schema['required'] !== undefined;
}

function dropUnreferenced(document: Json): void {
  const components = document['components'];
  const schemas = isObject(components) ? components['schemas'] : undefined;
  if (!isObject(schemas)) return;
  const wanted = new Set<string>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    if (!isObject(value)) return;
    const reference = value['$ref'];
    const name = typeof reference === 'string' ? reference.replace('#/components/schemas/', '') : undefined;
    if (name !== undefined && !wanted.has(name)) {
      wanted.add(name);
      visit(schemas[name]);
    }
    Object.values(value).forEach(visit);
  };
  visit(document['paths']);
  for (const name of Object.keys(schemas)) if (!wanted.has(name)) delete schemas[name];
}
