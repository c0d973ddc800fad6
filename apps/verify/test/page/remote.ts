import { decodeValue, encodeValue, Instance, type Kept } from '../wire.ts';

/** What a module of the process exports, with its functions callable from here. */
export function remoteModule(text: string): unknown {
  return decodeValue(JSON.parse(text), open);
}

/** Functions and instances of the process by what stands for them here, so that they can be handed back. */
const handles = new WeakMap<object, number>();

function open({ kind, id }: Kept, methods?: object): unknown {
  if (kind === 'promise') return settle(id);
  if (kind === 'instance') {
    const instance = Object.assign(new Instance(), methods);
    handles.set(instance, id);
    return instance;
  }
  const handle = (...values: readonly unknown[]): unknown => {
    const request = new XMLHttpRequest();
    // Not later but now: what answers at once in Node does so here.
    request.open('POST', '/call', false);
    request.send(JSON.stringify({ id, values: values.map((value) => encodeValue(value, stays)) }));
    return opened(request.responseText);
  };
  handles.set(handle, id);
  return handle;
}

async function settle(id: number): Promise<unknown> {
  const response = await fetch('/settle', { method: 'POST', body: JSON.stringify({ id }) });
  return opened(await response.text());
}

function opened(text: string): unknown {
  const answer: unknown = JSON.parse(text);
  if (typeof answer !== 'object' || answer === null) throw new TypeError('The process answered in no form.');
  if ('thrown' in answer) throw decodeValue(answer.thrown, open);
  return 'value' in answer ? decodeValue(answer.value, open) : undefined;
}

function stays(value: object): number {
  const id = handles.get(value);
  if (id !== undefined) return id;
  throw new TypeError('A function of the page does not travel to the process.');
}
