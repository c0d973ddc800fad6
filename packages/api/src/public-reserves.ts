import type { Readable } from 'node:stream';
import { CustodyError } from '@bulkhead/domain';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

/** One file of an epoch, as long as it is. */
export type PublicFile = { readonly bytes: number; readonly content: Readable };

/** Files of proofs of reserves as everybody may read them: spec/proof-files.md. */
export type PublicReserves = {
  /** Undefined for every name but those of files that were published. */
  readonly file: (place: PublicPlace) => Promise<PublicFile | undefined>;
};

export type PublicPlace = { readonly asset: string; readonly epoch: string; readonly name: string };

const tag = 'Proofs';
/** Seconds for which anybody may keep a file; its digest is in the manifest, whose digest the registry has. */
const fileAgeS = 3_600;

/** Names are looked up and never joined to a path as they came: letters, digits, hyphens and one dot. */
const nameForm = /^[a-z0-9-]{1,100}(?:\.[a-z]{1,10})?$/u;

/**
 * A route without a token, for pages of any origin and any cache, unlike everything else of this server: nothing in these files is a secret,
 * and who reads them need not say who it is.
 *
 * @param within keeps to the load and the time of the other operations
 */
export function registerReserves(
  app: FastifyInstance,
  reserves: PublicReserves,
  within: <T>(work: () => Promise<T>) => Promise<T>,
): void {
  const schema = {
    tags: [tag],
    summary: 'A file of an epoch: manifest.txt, and those that it lists',
    params: z.strictObject({ asset: z.string(), epoch: z.string(), name: z.string() }),
    response: {
      200: { description: 'The file', content: { 'application/octet-stream': { schema: z.string() } } },
    },
  };
  app.get<{ Params: PublicPlace }>('/v1/reserves/:asset/:epoch/:name', { schema }, async (request, reply) => {
    const { asset, epoch, name } = request.params;
    const isName = [asset, epoch, name].every((part) => nameForm.test(part));
    const file = isName ? await within(() => reserves.file({ asset, epoch, name })) : undefined;
    if (file === undefined) {
      throw new CustodyError('request/unknown-route', 'There is no such file of a proof of reserves, or not yet.');
    }
    return reply
      .headers({
        'access-control-allow-origin': '*',
        'cross-origin-resource-policy': 'cross-origin',
        'cache-control': `public, max-age=${fileAgeS}`,
        'content-length': String(file.bytes),
      })
      .type(name.endsWith('.txt') ? 'text/plain; charset=utf-8' : 'application/octet-stream')
      .send(file.content);
  });
}
