import { randomBytes } from 'node:crypto';

/** Prefixes say in a log line what an id names. */
export type IdPrefix =
  | 'cl'
  | 'agr'
  | 'wal'
  | 'mov'
  | 'dep'
  | 'wd'
  | 'dsp'
  | 'swp'
  | 'fee'
  | 'fp'
  | 'rec'
  | 'brk'
  | 'chg'
  | 'vlt'
  | 'vdp'
  | 'vev'
  | 'sgm'
  | 'vhb'
  | 'dlg'
  | 'vrs'
  | 'proof'
  | 'pack'
  | 'vkr'
  | 'ssc';

/** A prefixed UUID version 7 (RFC 9562): sorts by time of creation to the millisecond, 74 random bits behind it. */
export function newId(prefix: IdPrefix, now: Date): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now.getTime(), 0, 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${prefix}_${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
