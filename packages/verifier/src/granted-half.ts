import { CustodyError, parseIntent } from '@bulkhead/domain';
import { utf8ToBytes } from '@noble/hashes/utils.js';

/** One half of a move, as its certificate has it. */
export type MovedHalf = {
  readonly withdrawal: string;
  readonly asset: string;
  readonly amount: string;
  readonly to: string;
};

type Granted = { readonly type: string; readonly intent: string };
type Moved = { readonly deployment: string; readonly client: string; readonly fromCompartment: string };

/**
 * Asserts that what a signer recorded is the grant of this half: the same withdrawal of the same client out of the same compartment, with
 * asset, amount and destination.
 *
 * @throws CustodyError `signer/certificate-invalid`
 */
export function assertGrantOf(half: MovedHalf, { type, intent: text }: Granted, moved: Moved): void {
  const intent = parseIntent(utf8ToBytes(text));
  if (type !== 'granted' || (intent.kind !== 'withdrawal' && intent.kind !== 'vault-withdrawal')) {
    throw unlike(half, `its record is a ${type} of a ${intent.kind}`);
  }
  const said = {
    withdrawal: intent.id,
    asset: intent.asset,
    amount: intent.amount.toString(),
    to: intent.to,
    deployment: intent.deployment,
    client: intent.client,
    fromCompartment: String(intent.compartment),
  };
  const wanted: Readonly<Record<string, string>> = { ...half, ...moved };
  for (const [name, value] of Object.entries(said)) {
    if (wanted[name] !== value) {
      throw unlike(half, `the signer granted "${name}" ${value}, and it says ${wanted[name]}`);
    }
  }
}

function unlike({ withdrawal }: MovedHalf, fact: string): CustodyError {
  return new CustodyError('signer/certificate-invalid', `The half ${withdrawal} is not what was granted: ${fact}.`);
}
