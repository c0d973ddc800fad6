import { CustodyError, type FaultCode } from '@bulkhead/domain';
import { ckr, nameOfResult } from './cryptoki.ts';

/** Result of a call that did not come back in time; no module gives it. */
export const timedOut: number = -1;

/** A PKCS#11 function said no. Stays inside of this folder: callers get a CustodyError. */
export class Refusal extends Error {
  readonly method: string;
  readonly result: number;

  constructor(method: string, result: number) {
    super(`${method}: ${result === timedOut ? 'no answer in time' : nameOfResult(result)}`);
    this.name = 'Refusal';
    this.method = method;
    this.result = result;
  }
}

export function accept(method: string, result: number): void {
  if (result !== ckr.OK) throw new Refusal(method, result);
}

/**
 * What makes an operation possible again. Each remedy contains the ones before it: a fresh session; a fresh login, with handles that
 * are looked up again; a library that is finalized and initialized, which alone helps after a token was away.
 */
export type Remedy = 'none' | 'session' | 'login' | 'library';

const remedies: ReadonlyMap<number, Remedy> = new Map<number, Remedy>([
  [ckr.OPERATION_ACTIVE, 'session'],
  [ckr.OPERATION_NOT_INITIALIZED, 'session'],
  [ckr.BUFFER_TOO_SMALL, 'session'],
  [ckr.SESSION_CLOSED, 'session'],
  [ckr.SESSION_HANDLE_INVALID, 'login'],
  [ckr.USER_NOT_LOGGED_IN, 'login'],
  [ckr.OBJECT_HANDLE_INVALID, 'login'],
  [ckr.KEY_HANDLE_INVALID, 'login'],
  [ckr.GENERAL_ERROR, 'library'],
  [ckr.FUNCTION_FAILED, 'library'],
  [ckr.DEVICE_ERROR, 'library'],
  [ckr.DEVICE_REMOVED, 'library'],
  [ckr.TOKEN_NOT_PRESENT, 'library'],
  [ckr.TOKEN_NOT_RECOGNIZED, 'library'],
  [ckr.SLOT_ID_INVALID, 'library'],
  [ckr.CRYPTOKI_NOT_INITIALIZED, 'library'],
]);

export function remedyOf(refusal: Refusal): Remedy {
  return remedies.get(refusal.result) ?? 'none';
}

const codes: ReadonlyMap<number, FaultCode> = new Map<number, FaultCode>([
  [ckr.OPERATION_ACTIVE, 'hsm/operation-active'],
  [ckr.SESSION_COUNT, 'hsm/session-limit'],
  [ckr.MECHANISM_INVALID, 'hsm/mechanism-missing'],
  [ckr.FUNCTION_NOT_SUPPORTED, 'hsm/mechanism-missing'],
  [ckr.CURVE_NOT_SUPPORTED, 'hsm/mechanism-missing'],
  [ckr.PIN_INCORRECT, 'hsm/pin-refused'],
  [ckr.PIN_INVALID, 'hsm/pin-refused'],
  [ckr.PIN_LEN_RANGE, 'hsm/pin-refused'],
  [ckr.PIN_EXPIRED, 'hsm/pin-refused'],
  [ckr.PIN_LOCKED, 'hsm/pin-refused'],
  [ckr.USER_PIN_NOT_INITIALIZED, 'hsm/pin-refused'],
  [timedOut, 'hsm/unavailable'],
]);

const advice: Partial<Record<FaultCode, string>> = {
  'hsm/operation-active': 'Another program may be using its sessions; the operation can be tried again.',
  'hsm/session-limit': 'Close other programs that use the module, or raise its limit.',
  'hsm/mechanism-missing':
    'Run bulkhead doctor to see what the module offers, and compare its firmware and policy with the documentation.',
  'hsm/pin-refused':
    'This PIN is not tried again by this process, because modules lock after a few attempts: correct it and start anew.',
  'hsm/unavailable': 'Check the module, its network and its client; work goes on by itself once it answers.',
  'hsm/refused': 'Compare the result with the documentation of the module.',
};

/** What callers are told. Names and results alone: no argument of a call is in it. */
export function faultOf(refusal: Refusal, tokenLabel: string): CustodyError {
  const code = codes.get(refusal.result) ?? (remedyOf(refusal) === 'none' ? 'hsm/refused' : 'hsm/unavailable');
  return new CustodyError(code, `The token "${tokenLabel}" answered ${refusal.message}. ${advice[code] ?? ''}`.trim(), {
    details: { token: tokenLabel, method: refusal.method },
    cause: refusal,
  });
}
