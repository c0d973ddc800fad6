import type { Hashes } from '@bulkhead/authority';
import { type AuthorityIntent, CustodyError } from '@bulkhead/domain';
import type { RememberedHead } from '@bulkhead/keys';

/**
 * The id that an intent of recovery has: `sr_` and the SHA-256 of the heads that the slots hold. The copy alone would not do. Put back
 * a second time, it would accept the approvals of the first recovery once more, and all that was signed since would be forgotten;
 * whoever can put it back can set the clock back, too.
 */
export function recoveryId({ sha256 }: Hashes, heads: readonly RememberedHead[]): string {
  const lines = [...new Set(heads.map(({ sequence, hash }) => `${sequence} ${hash}\n`))].sort();
  return `sr_${Buffer.from(sha256(Buffer.from(lines.join(''), 'latin1'))).toString('hex')}`;
}

/** @throws CustodyError `signer/state-rewound` for an intent about other heads, naming the id that it would need */
export function assertAboutHeads(
  hashes: Hashes,
  { intent, heads }: { readonly intent: AuthorityIntent; readonly heads: readonly RememberedHead[] },
): void {
  const wanted = recoveryId(hashes, heads);
  if (intent.id === wanted) return;
  throw new CustodyError(
    'signer/state-rewound',
    `The intent has the id ${intent.id}, and a recovery over what the slots hold now has the id ${wanted}: approvals for one recovery are worth nothing for another. Have an intent with this id approved.`,
    { details: { id: intent.id, wanted } },
  );
}
