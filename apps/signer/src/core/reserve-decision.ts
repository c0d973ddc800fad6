import { judgeReserves, type ReserveQuestion } from '@bulkhead/authority';
import {
  canonicalIntent,
  CustodyError,
  intentText,
  invariant,
  isReserveMatter,
  type ReserveIntent,
  type ReserveSignRequest,
  type VaultGrant,
} from '@bulkhead/domain';
import { reserveIntentPreimage } from '@bulkhead/vaults';
import { announced } from './announcement.ts';
import {
  attemptOf,
  type Derived,
  keyNameOf,
  type Making,
  openMaking,
  repeatedGrant,
  signatureOfGrant,
} from './attempt.ts';
import type { CoreParts } from './core-parts.ts';
import { type MemberKey, memberKeys } from './member-keys.ts';
import { type ReadHeader, readHeader } from './proof-grants.ts';
import { proofPaceStepOf, reserveProof } from './proof-reservation.ts';
import { refusalError } from './refusals.ts';
import { residencyOf } from './vault-decision.ts';

type Asked = Derived & { readonly intent: ReserveIntent; readonly header: ReadHeader | undefined };

/** What a member of a set of signers says about reserves. Nobody approves it, and each follows from what was said before. */
export function openReserveSigning(parts: CoreParts): (request: ReserveSignRequest) => Promise<VaultGrant> {
  const making = openMaking<VaultGrant>();
  return async (request) => {
    const asked = readRequest(parts, request);
    const { intent, digest, signed } = asked;
    return parts.gate.shared(async () =>
      announced(parts, {
        refused: { request: 'sign-reserves', about: { id: intent.id, digest, signed } },
        prepare: async () => memberKeys(parts.addresses, parts.knowledge.registry()),
        decide: async (members, arrived) => grantOnce(parts, making, { asked, members, arrived }),
      }),
    );
  };
}

function readRequest({ hashes }: CoreParts, request: ReserveSignRequest): Asked {
  const intent = canonicalIntent(request.intent);
  if (!isReserveMatter(intent)) {
    throw new CustodyError(
      'signer/protocol',
      `A ${intent.kind} says nothing about reserves: it has a call of its own.`,
    );
  }
  const text = intentText(intent);
  const preimage = reserveIntentPreimage(hashes, intent);
  return {
    intent,
    text,
    digest: hashes.sha256Hex(text),
    preimage,
    signed: Buffer.from(hashes.keccak256(preimage)).toString('hex'),
    header: intent.kind === 'reserve-commitment' ? readHeader(hashes, intent.header) : undefined,
  };
}

type Allowed = { readonly asked: Asked; readonly member: MemberKey; readonly now: bigint };

async function grantOnce(
  parts: CoreParts,
  making: Making<VaultGrant>,
  { asked, members, arrived }: { asked: Asked; members: readonly MemberKey[]; arrived: () => void },
): Promise<VaultGrant> {
  for (const { key, address } of members) {
    const earlier = repeatedGrant(parts, asked, key);
    if (earlier === undefined) continue;
    arrived();
    return { ...(await earlier()), member: address };
  }
  const allowed = allowedGrant(parts, asked, members);
  arrived();
  return making(attemptOf(parts, asked, allowed.member.key), async () => {
    parts.knowledge.pace.assertWithin(proofPaceStepOf(asked.intent, allowed.now), parts.limits);
    return grant(parts, allowed);
  });
}

/** Everything that must hold, without waiting for anything: no other decision comes in between. */
function allowedGrant(parts: CoreParts, asked: Asked, members: readonly MemberKey[]): Allowed {
  const { knowledge, addresses, time } = parts;
  const now = time.now();
  const { refusal, signer } = judgeReserves(knowledge.registry(), {
    intent: asked.intent,
    own: members.map(({ address }) => address),
    residency: residencyOf(addresses, members),
    now,
    ...committedOf(parts, asked),
  });
  if (refusal !== undefined) throw refusalError(refusal);
  const member = members.find(({ address }) => address === signer);
  invariant(member !== undefined, 'A key was judged to sign that this signer does not have.');
  knowledge.proofGrants.assertSame(asked.intent, asked.digest);
  return { asked, member, now };
}

type Committed = Pick<ReserveQuestion, 'header' | 'known' | 'committed' | 'statements'>;

/** What was said before of the same epoch, and of those beside it. */
function committedOf({ knowledge }: CoreParts, { intent, header }: Asked): Committed {
  const { proofGrants } = knowledge;
  if (intent.kind === 'reserve-commitment') {
    return header === undefined ? { known: {} } : { header, known: proofGrants.known(intent, header) };
  }
  const committed = proofGrants.committed(intent.context);
  const statements = proofGrants.statements(intent.context);
  return {
    known: {},
    ...(committed === undefined ? {} : { committed }),
    ...(statements === undefined ? {} : { statements }),
  };
}

async function grant(parts: CoreParts, { asked, member, now }: Allowed): Promise<VaultGrant> {
  const { knowledge, committer, hashes } = parts;
  const { intent, digest, signed, text, preimage } = asked;
  // What this one takes is taken now, before anything is waited for, as with grants of transactions.
  reserveProof(hashes, knowledge, { intent, digest, at: now });
  knowledge.expectGrant(digest, intent);
  // A crash before this returns leaves a grant without a signature, or none.
  const record = await committer.commit({
    type: 'granted',
    at: now,
    fields: {
      intent: text,
      digest,
      key: keyNameOf(member.key),
      unsigned: Buffer.from(preimage).toString('hex'),
      signed,
      member: member.address,
      registryVersion: String(knowledge.registry().version),
    },
  });
  // A crash from here on: the grant counts, and the same request gets its signature.
  return { ...(await signatureOfGrant(parts, { preimage, key: member.key, record })), member: member.address };
}
