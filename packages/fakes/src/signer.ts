import {
  type AccountXpub,
  chainOf,
  type Clock,
  type Compartment,
  CustodyError,
  feeMax,
  type Intent,
  intentBytes,
  type KeyResidency,
  nativeAsset,
  parseIntent,
  type Signature,
  type Signer,
  type SignRequest,
} from '@bulkhead/domain';
import { addressOfPath, fakeXpub, signAs } from './key.ts';
import { decodeUnsigned, encodeUnsigned, transactionOf } from './transaction.ts';

/** Holds every key of every compartment, signs what an intent says and nothing else, as a real signer must. */
export class FakeSigner implements Signer {
  readonly residency: KeyResidency = 'software';
  /** Everything that was signed, in order. */
  readonly signed: SignRequest[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async accountXpub(compartment: Compartment): Promise<AccountXpub> {
    return fakeXpub(compartment);
  }

  async sign(request: SignRequest): Promise<Signature> {
    const intent = parseIntent(intentBytes(request.intent));
    this.#assertNotExpired(intent);
    assertConforms({ ...request, intent });
    this.signed.push(request);
    return signAs(addressOfPath(request.path), request.unsigned);
  }

  #assertNotExpired(intent: Intent): void {
    if (intent.kind !== 'withdrawal' && intent.kind !== 'deposit-return') return;
    if (BigInt(this.#clock.now().getTime()) <= intent.expiresAt * 1_000n) return;
    throw new CustodyError(
      'signer/intent-expired',
      `Intent ${intent.id} expired at ${intent.expiresAt}; nothing was signed.`,
    );
  }
}

/** The transaction of an intent is a function of the intent, the nonce and the fee: build it again and compare. */
function assertConforms(request: SignRequest): void {
  const { intent, path, unsigned } = request;
  const found = decodeUnsigned(unsigned);
  const from = addressOfPath(path);
  const { to, amount } = intent;
  // A cancellation is a payment of nothing in the native coin, whatever asset the intent it cancels was about.
  const asset = intent.kind === 'cancel' ? nativeAsset(chainOf(intent.asset)) : intent.asset;
  const wanted = transactionOf({ from, to, asset, amount }, found, { chain: chainOf(asset), nonce: found.nonce });
  const conforms =
    intent.compartment === path.compartment &&
    Buffer.from(encodeUnsigned(wanted)).equals(unsigned) &&
    feeMax(found) <= intent.feeMax &&
    found.maxPriorityFeePerGas <= found.maxFeePerGas &&
    (intent.kind !== 'cancel' || (to === from && found.nonce === intent.nonce));
  if (conforms) return;
  throw new CustodyError(
    'signer/malformed-transaction',
    `The transaction is not the one of intent ${intent.id}; nothing was signed.`,
  );
}
