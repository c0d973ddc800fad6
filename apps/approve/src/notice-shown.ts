import type { Address } from '@bulkhead/domain';

/** Something an approver must not overlook. */
export type Notice = {
  readonly level: 'danger' | 'warning' | 'information';
  readonly title: string;
  readonly text: string;
  /** Two addresses that look alike and are not the same. */
  readonly compared?: readonly [Address, Address];
};
