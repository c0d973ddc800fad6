import { ckf, ckr, tokenInfoBytes, ulongBytes, unavailable } from './cryptoki.ts';
import { createFrame, type Frame } from './frame.ts';
import type { Module } from './module.ts';
import { accept, Refusal } from './refusal.ts';
import { timely } from './session.ts';

/** CK_TOKEN_INFO, as far as somebody looks at it. */
export type TokenInfo = {
  readonly slotId: bigint;
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
  /** 0 where the token has no limit, undefined where it does not say. */
  readonly sessionsMax: bigint | undefined;
  readonly pin: 'good' | 'few attempts left' | 'last attempt' | 'locked';
};

/** Slots that are looked at; a module with more is configured by somebody who knows better. */
const slotsMax = 256;

/**
 * The token of this label. Numbers of slots change when tokens come and go, labels do not.
 *
 * @throws Refusal CKR_TOKEN_NOT_PRESENT where none has it, CKR_SLOT_ID_INVALID where more than one has
 */
export async function findToken(
  module: Module,
  wanted: { readonly label: string; readonly timeoutMs: number },
): Promise<TokenInfo> {
  const frame = createFrame();
  const { ask, lost } = timely(module, wanted.timeoutMs);
  try {
    const found: TokenInfo[] = [];
    for (const slotId of await slotsOf(ask, frame)) {
      const { address, bytes } = frame.reserve(tokenInfoBytes);
      // A slot whose token cannot be read is not the one.
      if ((await ask('C_GetTokenInfo', [slotId, address])) !== ckr.OK) continue;
      const info = readTokenInfo(slotId, bytes);
      if (info !== undefined && info.label === wanted.label) found.push(info);
    }
    const [info, second] = found;
    if (info === undefined) throw new Refusal('C_GetSlotList', ckr.TOKEN_NOT_PRESENT);
    if (second !== undefined) throw new Refusal('C_GetTokenInfo', ckr.SLOT_ID_INVALID);
    return info;
  } finally {
    if (!lost()) frame.free();
  }
}

type Ask = ReturnType<typeof timely>['ask'];

async function slotsOf(ask: Ask, frame: Frame): Promise<readonly bigint[]> {
  const count = frame.reserve(ulongBytes);
  const list = frame.reserve(ulongBytes * slotsMax);
  count.bytes.writeBigUInt64LE(BigInt(slotsMax));
  accept('C_GetSlotList', await ask('C_GetSlotList', [1n, list.address, count.address]));
  const length = Number(count.bytes.readBigUInt64LE());
  return Array.from({ length }, (_, index) => list.bytes.readBigUInt64LE(index * ulongBytes));
}

function readTokenInfo(slotId: bigint, bytes: Buffer): TokenInfo | undefined {
  const text = (start: number, length: number): string => bytes.toString('utf8', start, start + length).trimEnd();
  const flags = Number(bytes.readBigUInt64LE(96));
  if ((flags & ckf.TOKEN_INITIALIZED) === 0) return undefined;
  const sessionsMax = bytes.readBigUInt64LE(104);
  return {
    slotId,
    label: text(0, 32),
    manufacturer: text(32, 32),
    model: text(64, 16),
    serial: text(80, 16),
    // Hardware version at 184, 185.
    firmware: `${bytes[186] ?? 0}.${bytes[187] ?? 0}`,
    sessionsMax: sessionsMax === unavailable ? undefined : sessionsMax,
    pin: pinState(flags),
  };
}

function pinState(flags: number): TokenInfo['pin'] {
  if ((flags & ckf.USER_PIN_LOCKED) !== 0) return 'locked';
  if ((flags & ckf.USER_PIN_FINAL_TRY) !== 0) return 'last attempt';
  return (flags & ckf.USER_PIN_COUNT_LOW) === 0 ? 'good' : 'few attempts left';
}
