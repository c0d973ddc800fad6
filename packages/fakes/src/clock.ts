import type { Clock } from '@bulkhead/domain';

/** A clock that moves only when told. */
export class ManualClock implements Clock {
  #now: number;

  constructor(start: Date = new Date('2030-01-01T00:00:00.000Z')) {
    this.#now = start.getTime();
  }

  now(): Date {
    return new Date(this.#now);
  }

  advance(ms: number): void {
    this.#now += ms;
  }
}
