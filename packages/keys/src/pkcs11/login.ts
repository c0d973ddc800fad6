import { createHmac, randomBytes } from 'node:crypto';
import { CustodyError } from '@bulkhead/domain';
import { ckr, stateOfUser, ulongBytes, userOfToken } from './cryptoki.ts';
import { Refusal } from './refusal.ts';
import type { Session } from './session.ts';

/**
 * PINs that a token refused, as digests under a key of this process alone. A module locks after a few wrong attempts, and a program
 * that starts its login again and again would be the one to lock it.
 */
const refused = new Set<string>();
const digestKey = randomBytes(32);

const pinRefusals: ReadonlySet<number> = new Set([
  ckr.PIN_INCORRECT,
  ckr.PIN_INVALID,
  ckr.PIN_LEN_RANGE,
  ckr.PIN_EXPIRED,
  ckr.PIN_LOCKED,
  ckr.USER_PIN_NOT_INITIALIZED,
]);

/**
 * Logs the process in, once per PIN that is wrong. The bytes of the PIN are zeros afterwards.
 *
 * @param token which token, in a form that tells it from every other
 * @throws CustodyError `hsm/pin-refused`
 * @throws Refusal
 */
export async function login(
  session: Session,
  pin: Uint8Array,
  token: { readonly id: string; readonly label: string },
): Promise<void> {
  try {
    if ((await stateOf(session)) === stateOfUser) return;
    const digest = createHmac('sha256', digestKey).update(token.id).update('\0').update(pin).digest('hex');
    if (refused.has(digest)) throw pinFault(token.label, 'this process was told so before, and did not ask again');
    const { address, bytes } = session.frame.place(pin);
    const result = await session.ask('C_Login', [userOfToken, address, BigInt(bytes.length)]);
    if (result === ckr.OK || result === ckr.USER_ALREADY_LOGGED_IN) return;
    const refusal = new Refusal('C_Login', result);
    if (!pinRefusals.has(result)) throw refusal;
    refused.add(digest);
    throw pinFault(token.label, refusal.message);
  } finally {
    pin.fill(0);
    if (!session.lost()) session.frame.wipe();
  }
}

async function stateOf(session: Session): Promise<bigint> {
  // CK_SESSION_INFO: slot, state, flags, error of the device.
  const { address, bytes } = session.frame.reserve(4 * ulongBytes);
  await session.call('C_GetSessionInfo', [address]);
  return bytes.readBigUInt64LE(ulongBytes);
}

function pinFault(label: string, reason: string): CustodyError {
  return new CustodyError(
    'hsm/pin-refused',
    `The token "${label}" does not take the PIN (${reason}). It is not tried again by this process, because modules lock after a few attempts: find the right one, look at the module's counter, and start anew.`,
    { details: { token: label } },
  );
}
