import { ckm, ckr, ulongBytes } from './cryptoki.ts';
import type { Desk, Slot } from './slot.ts';

export type Mechanism = {
  /** Name of the standard where it is one that is used here, otherwise the number in hex. */
  readonly name: string;
  readonly type: number;
  readonly keySizeMin: bigint;
  readonly keySizeMax: bigint;
  /** Whether the module says that it computes in hardware. */
  readonly hardware: boolean;
};

/** What a token says about itself. */
export type TokenDescription = {
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
  /** 0: no limit. Undefined: not told. */
  readonly sessionsMax: bigint | undefined;
  readonly sessionsOpen: number;
  readonly pin: 'good' | 'few attempts left' | 'last attempt' | 'locked';
  readonly mechanisms: readonly Mechanism[];
};

const mechanismsMax = 1_024;
const hardwareFlag = 1n;

const names: ReadonlyMap<number, string> = new Map([
  ...Object.entries(ckm).map(([name, type]) => [type, `CKM_${name}`] as const),
  [0x8000_0e00, 'CKM_BIP32_MASTER_DERIVE'] as const,
  [0x8000_0e01, 'CKM_BIP32_CHILD_DERIVE'] as const,
]);

export async function describeToken(desk: Desk, slot: Slot): Promise<TokenDescription> {
  const info = slot.info();
  return {
    manufacturer: info?.manufacturer ?? '',
    model: info?.model ?? '',
    serial: info?.serial ?? '',
    firmware: info?.firmware ?? '',
    sessionsMax: info?.sessionsMax,
    sessionsOpen: slot.sessions(),
    pin: info?.pin ?? 'good',
    mechanisms: info === undefined ? [] : await mechanismsOf(desk, slot, info.slotId),
  };
}

async function mechanismsOf({ session }: Desk, slot: Slot, slotId: bigint): Promise<readonly Mechanism[]> {
  const { frame } = session;
  const { cryptoki } = slot.module;
  const count = frame.reserve(ulongBytes);
  const list = frame.reserve(ulongBytes * mechanismsMax);
  count.bytes.writeBigUInt64LE(BigInt(mechanismsMax));
  if ((await cryptoki.callAsync('C_GetMechanismList', [slotId, list.address, count.address])) !== ckr.OK) return [];
  const found: Mechanism[] = [];
  const info = frame.reserve(3 * ulongBytes);
  for (let index = 0; index < Number(count.bytes.readBigUInt64LE()); index += 1) {
    const type = list.bytes.readBigUInt64LE(index * ulongBytes);
    if ((await cryptoki.callAsync('C_GetMechanismInfo', [slotId, type, info.address])) !== ckr.OK) continue;
    found.push({
      name: names.get(Number(type)) ?? `0x${type.toString(16)}`,
      type: Number(type),
      keySizeMin: info.bytes.readBigUInt64LE(0),
      keySizeMax: info.bytes.readBigUInt64LE(ulongBytes),
      hardware: (info.bytes.readBigUInt64LE(2 * ulongBytes) & hardwareFlag) !== 0n,
    });
  }
  return found;
}
