import { CustodyError } from '@bulkhead/domain';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

/** The audit log as everybody may read it: the files of C2SP tlog-tiles, spec/log.md. */
export type PublicLog = {
  /** The newest checkpoint as a signed note; undefined while the log is empty. */
  readonly checkpoint: () => Promise<string | undefined>;
  /** A file below `tile/`, by its path from there on; undefined where the signed tree does not have it. */
  readonly tile: (path: string) => Promise<Uint8Array | undefined>;
};

const tag = 'Log';
/** Seconds for which anybody may keep a checkpoint. */
const checkpointAgeS = 1;
/** A year: what a tile says does not change. */
const tileAgeS = 31_536_000;

function missing(): CustodyError {
  return new CustodyError('request/unknown-route', 'The log has no such file, or not yet.');
}

/**
 * Routes without a token: leaves are public, and what they commit to is not here. They may be read by pages of any origin and kept by
 * any cache, unlike everything else of this server.
 *
 * @param within keeps to the load and the time of the other operations
 */
export function registerLog(
  app: FastifyInstance,
  log: PublicLog,
  within: <T>(work: () => Promise<T>) => Promise<T>,
): void {
  const open = { 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' } as const;
  const checkpointSchema = {
    tags: [tag],
    summary: 'The newest signed checkpoint of the audit log',
    response: { 200: { description: 'Signed note', content: { 'text/plain': { schema: z.string() } } } },
  };
  app.get('/v1/log/checkpoint', { schema: checkpointSchema }, async (_request, reply) => {
    const note = await within(log.checkpoint);
    if (note === undefined) throw missing();
    return reply
      .headers({ ...open, 'cache-control': `public, max-age=${checkpointAgeS}` })
      .type('text/plain; charset=utf-8')
      .send(note);
  });
  const tileSchema = {
    tags: [tag],
    summary: 'A tile or a bundle of entries of the audit log',
    params: z.strictObject({ '*': z.string() }),
    response: {
      200: { description: 'Hashes or entries', content: { 'application/octet-stream': { schema: z.string() } } },
    },
  };
  app.get<{ Params: { '*': string } }>('/v1/log/tile/*', { schema: tileSchema }, async (request, reply) => {
    const bytes = await within(() => log.tile(request.params['*']));
    if (bytes === undefined) throw missing();
    return reply
      .headers({ ...open, 'cache-control': `public, max-age=${tileAgeS}, immutable` })
      .type('application/octet-stream')
      .send(Buffer.from(bytes));
  });
}
