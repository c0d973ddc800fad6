import { setTimeout as pause } from 'node:timers/promises';
import { invariant } from '@bulkhead/domain';

const waitMsMax = 180_000;
const pollMs = 150;

/** Who speaks in the story, by bearer token. */
export type Cast = { readonly admin: string; readonly operator: string; readonly approvers: readonly [string, string] };

export type Answer = { readonly status: number; readonly body: unknown };

/** A user of the API like any other: HTTP, bearer token, idempotency key. */
export class ApiUser {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async read(token: string, path: string): Promise<unknown> {
    const response = await fetch(this.#url + path, { headers: { authorization: `Bearer ${token}` } });
    const body: unknown = await response.json();
    invariant(response.ok, `GET ${path} answers ${response.status}: ${JSON.stringify(body)}`);
    return body;
  }

  /** Sends a write; the key follows from the step of the story, so that a step played twice is done once. */
  async ask(token: string, path: string, write: { step: string; body?: object; method?: string }): Promise<Answer> {
    const response = await fetch(this.#url + path, {
      method: write.method ?? 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'idempotency-key': `story:${write.step}`,
        ...(write.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(write.body === undefined ? {} : { body: JSON.stringify(write.body) }),
    });
    return { status: response.status, body: await response.json() };
  }

  async write(token: string, path: string, write: { step: string; body?: object; method?: string }): Promise<unknown> {
    const answer = await this.ask(token, path, write);
    invariant(answer.status < 300, `POST ${path} answers ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** All pages of a list. */
  async list(token: string, path: string): Promise<readonly unknown[]> {
    const items: unknown[] = [];
    let cursor = '';
    for (;;) {
      const join = path.includes('?') ? '&' : '?';
      const page = await this.read(token, `${path}${join}limit=200${cursor === '' ? '' : `&cursor=${cursor}`}`);
      items.push(...itemsIn(page));
      const next = field(page, 'nextCursor');
      if (typeof next !== 'string') return items;
      cursor = next;
    }
  }
}

/** Waits until `probe` answers something. */
export async function until<T>(what: string, probe: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + waitMsMax;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    invariant(Date.now() < deadline, `The story waited ${waitMsMax / 1000} s in vain for: ${what}.`);
    await pause(pollMs);
  }
}

export function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

/** A text field of an answer; a story cannot go on without it. */
export function words(value: unknown, name: string): string {
  const found = field(value, name);
  invariant(typeof found === 'string', `The answer has no "${name}": ${JSON.stringify(value)}`);
  return found;
}

export function numberIn(value: unknown, name: string): number {
  const found = field(value, name);
  invariant(typeof found === 'number', `The answer has no number "${name}": ${JSON.stringify(value)}`);
  return found;
}

export function itemsIn(page: unknown): readonly unknown[] {
  const items: unknown = field(page, 'items');
  invariant(Array.isArray(items), `The answer has no items: ${JSON.stringify(page)}`);
  return items;
}
