import { decodeValue, encodeValue, type Kept } from './wire.ts';

/**
 * Modules that need Node, for a page: what they export is kept here, and the page calls it. A call that answers at once answers at
 * once there too, and a promise is waited for apart.
 */
export type RemoteModules = {
  /** What a module exports, for the page to open. */
  exports(module: Readonly<Record<string, unknown>>): string;
  /** Takes a call and answers it; both are JSON. */
  call(request: string): string;
  /** Waits for a promise that was answered. */
  settle(request: string): Promise<string>;
};

export function remoteModules(): RemoteModules {
  const kept: object[] = [];
  const keep = (value: object, _kind: Kept['kind']): number => kept.push(value) - 1;
  const open = ({ id }: Kept): unknown => kept[id];
  const answer = (work: () => unknown): string => {
    try {
      return JSON.stringify({ value: encodeValue(work(), keep) });
    } catch (error) {
      return JSON.stringify({ thrown: encodeValue(error, keep) });
    }
  };
  return {
    exports: (module) => JSON.stringify(encodeValue({ ...module }, keep)),
    call: (request) =>
      answer(() => {
        const { id, values } = parsed(request);
        const wanted = kept[id];
        if (typeof wanted !== 'function') throw new TypeError(`No function is kept as ${id}.`);
        return Reflect.apply(
          wanted,
          undefined,
          values.map((value) => decodeValue(value, open)),
        );
      }),
    settle: async (request) => {
      try {
        const value: unknown = await Promise.resolve(kept[parsed(request).id]);
        return answer(() => value);
      } catch (error) {
        return JSON.stringify({ thrown: encodeValue(error, keep) });
      }
    },
  };
}

function parsed(request: string): { readonly id: number; readonly values: readonly unknown[] } {
  const value: unknown = JSON.parse(request);
  if (typeof value !== 'object' || value === null || !('id' in value)) throw new TypeError('A call came in no form.');
  return { id: Number(value.id), values: 'values' in value && Array.isArray(value.values) ? value.values : [] };
}
