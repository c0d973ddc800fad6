import type { Refused } from '@bulkhead/domain';
import type { z } from 'zod';
import type { Actor, Idempotency, OperationName, Operations, Read, Write } from '../operations.ts';
import { objections } from '../problem.ts';
import type { Objection } from '../problem.ts';
import type { View as ViewOf } from '../resource/view.ts';

/** A request after its route was found and its caller known. Nothing in it was looked at yet. */
export type Incoming = {
  readonly actor: Actor;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  /** Reads the key of a write; throws when it is missing. Called after the request was found well formed. */
  readonly idempotency: () => Idempotency;
};

export type Answer =
  | { readonly status: 'malformed'; readonly errors: readonly Objection[] }
  | { readonly status: 'done'; readonly view: unknown; readonly hit: boolean; readonly facts: readonly bigint[] }
  | { readonly status: 'refused'; readonly refused: Refused; readonly hit: boolean }
  | { readonly status: 'key-reused' };

/** One row of the route table: how REST names an operation, and nothing else. */
export type Route = {
  readonly operation: OperationName;
  readonly kind: 'read' | 'write';
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Path with `:parameters`. */
  readonly url: string;
  readonly tag: string;
  readonly summary: string;
  readonly success: 200 | 201;
  readonly params: z.ZodType;
  readonly query: z.ZodType;
  readonly body: z.ZodType | undefined;
  /** Longest body where the limit of all routes is not enough. */
  readonly bodyBytesMax?: number;
  readonly view: z.ZodType;
  readonly answer: (operations: Operations, incoming: Incoming) => Promise<Answer>;
};

type Named = {
  readonly operation: OperationName;
  readonly url: string;
  readonly tag: string;
  readonly summary: string;
};

type ReadSpec<Params, Query, View extends z.ZodType> = Named & {
  readonly params: z.ZodType<Params>;
  readonly query: z.ZodType<Query>;
  readonly view: View;
  readonly run: (operations: Operations) => Read<NoInfer<Params & Query>, ViewOf<View>>;
};

export function read<Params extends object, Query extends object, View extends z.ZodType>(
  spec: ReadSpec<Params, Query, View>,
): Route {
  const { run, ...named } = spec;
  return {
    ...named,
    kind: 'read',
    method: 'GET',
    success: 200,
    body: undefined,
    async answer(operations, incoming) {
      const params = spec.params.safeParse(incoming.params);
      const query = spec.query.safeParse(incoming.query);
      if (!params.success || !query.success) {
        return { status: 'malformed', errors: [...found('path', params), ...found('query', query)] };
      }
      const answer = await run(operations)({ actor: incoming.actor }, { ...params.data, ...query.data });
      if (isRefused(answer)) return { status: 'refused', refused: answer, hit: false };
      return { status: 'done', view: answer, hit: false, facts: [] };
    },
  };
}

type WriteSpec<Params, Body, View extends z.ZodType> = Named & {
  readonly method?: 'POST' | 'PUT';
  /** 201 where something new has come to be, 200 where something that exists was changed. */
  readonly success: 200 | 201;
  readonly bodyBytesMax?: number;
  readonly params: z.ZodType<Params>;
  readonly query: z.ZodType;
  readonly body: z.ZodType<Body>;
  readonly view: View;
  readonly run: (operations: Operations) => Write<NoInfer<Params & Body>, ViewOf<View>>;
};

export function write<Params extends object, Body extends object, View extends z.ZodType>(
  spec: WriteSpec<Params, Body, View>,
): Route {
  const { run, ...named } = spec;
  return {
    ...named,
    kind: 'write',
    method: spec.method ?? 'POST',
    async answer(operations, incoming) {
      const params = spec.params.safeParse(incoming.params);
      const query = spec.query.safeParse(incoming.query);
      const body = spec.body.safeParse(incoming.body);
      if (!params.success || !query.success || !body.success) {
        return {
          status: 'malformed',
          errors: [...found('path', params), ...found('query', query), ...found('body', body)],
        };
      }
      const call = { actor: incoming.actor, idempotency: incoming.idempotency() };
      const { hit, outcome, facts } = await run(operations)(call, { ...params.data, ...body.data });
      switch (outcome.status) {
        case 'done':
          return { status: 'done', view: outcome.view, hit, facts };
        case 'refused':
          return { status: 'refused', refused: outcome, hit };
        case 'key-reused':
          return { status: 'key-reused' };
      }
    },
  };
}

function found(place: Objection['in'], result: z.ZodSafeParseResult<unknown>): Objection[] {
  return result.success ? [] : objections(place, result.error.issues);
}

/** No view has a field `status`, so the one of a refusal tells it apart. */
function isRefused(answer: unknown): answer is Refused {
  return typeof answer === 'object' && answer !== null && 'status' in answer && answer.status === 'refused';
}
