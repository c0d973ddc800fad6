import type { IntentView } from '@bulkhead/api';
import { approvalLink, type LinkParts } from '@bulkhead/approve/approval-request';
import { typedIntent } from '@bulkhead/authority';
import { type Intent, intentBytes, intentDigest } from '@bulkhead/domain';

/**
 * What people are shown of an intent. The link carries the canonical text behind `#`, which a browser sends to nobody: the page
 * decodes it by itself and believes nothing else of us.
 *
 * @param page Address of the approval page without a slash at its end; undefined where none is configured
 */
export function intentView(intent: Intent, page: string | undefined, beside: LinkParts): IntentView {
  const canonical = new TextDecoder().decode(intentBytes(intent));
  const { domain, types, primaryType, message } = typedIntent(intent);
  return {
    canonical,
    digest: intentDigest(intent),
    typedData: { domain, types, primaryType, message },
    approvalLink: page === undefined ? null : approvalLink(canonical, beside, page),
  };
}
