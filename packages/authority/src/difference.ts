import { CustodyError, type FaultDetails } from '@bulkhead/domain';

/** The first thing in which a transaction is not the one of its intent. */
export function difference(name: string, wanted: string, found: string): CustodyError {
  const details: FaultDetails = { difference: name, wanted: shorten(wanted), found: shorten(found) };
  return new CustodyError(
    'signer/malformed-transaction',
    `The transaction is not the one of the intent. ${name}: wanted ${shorten(wanted) || 'nothing'}, found ${shorten(found) || 'nothing'}. Nothing was signed; build the transaction from the intent again.`,
    { details },
  );
}

function shorten(text: string): string {
  return text.length <= 160 ? text : `${text.slice(0, 160)}…`;
}
