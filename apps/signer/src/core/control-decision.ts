import { judgeControl } from '@bulkhead/authority';
import {
  type Address,
  canonicalIntent,
  type ControlGrant,
  type ControlSignRequest,
  CustodyError,
  intentText,
  type KeyRef,
  parseCompartment,
  type WalletControlIntent,
} from '@bulkhead/domain';
import { walletControlPreimage } from '@bulkhead/vaults';
import { keyText, tierOfKey } from './addresses.ts';
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
import { proofPaceStepOf, reserveProof } from './proof-reservation.ts';
import { refusalError } from './refusals.ts';

type Asked = Derived & { readonly intent: WalletControlIntent; readonly key: KeyRef };

/** The key of a wallet says that it is controlled at an epoch. What it signs has no meaning to any contract, and moves nothing. */
export function openControlSigning(parts: CoreParts): (request: ControlSignRequest) => Promise<ControlGrant> {
  const making = openMaking<ControlGrant>();
  return async (request) => {
    const asked = readRequest(parts, request);
    const { intent, digest, key } = asked;
    const about = { id: intent.id, digest, key: keyNameOf(key).slice(0, 90) };
    return parts.gate.shared(async () =>
      announced(parts, {
        refused: { request: 'sign-control', about },
        prepare: async () => {
          // Before a driver is asked: a label that nobody listed says nothing about its compartment.
          tierOfKey(parts.knowledge.registry(), key);
          return parts.addresses.of(key);
        },
        decide: async (address, arrived) => grantOnce(parts, making, { asked, address, arrived }),
      }),
    );
  };
}

function readRequest({ hashes }: CoreParts, request: ControlSignRequest): Asked {
  const intent = canonicalIntent(request.intent);
  if (intent.kind !== 'wallet-control') {
    throw new CustodyError('signer/protocol', `A ${intent.kind} is not what a wallet says of itself.`);
  }
  const text = intentText(intent);
  const preimage = walletControlPreimage(hashes, intent);
  return {
    intent,
    key: { ...request.key, compartment: parseCompartment(request.key.compartment) },
    text,
    digest: hashes.sha256Hex(text),
    preimage,
    signed: Buffer.from(hashes.keccak256(preimage)).toString('hex'),
  };
}

async function grantOnce(
  parts: CoreParts,
  making: Making<ControlGrant>,
  { asked, address, arrived }: { asked: Asked; address: Address; arrived: () => void },
): Promise<ControlGrant> {
  const { intent, key } = asked;
  const earlier = repeatedGrant(parts, asked, key);
  if (earlier !== undefined) {
    arrived();
    return earlier();
  }
  const { knowledge, addresses, limits, time } = parts;
  const committed = knowledge.proofGrants.committed(intent.context);
  const { refusal } = judgeControl(knowledge.registry(), {
    intent,
    key: { compartment: key.compartment, address, residency: addresses.residencyOf(key) },
    ...(committed === undefined ? {} : { committed }),
  });
  if (refusal !== undefined) throw refusalError(refusal);
  const now = time.now();
  arrived();
  return making(attemptOf(parts, asked, key), async () => {
    knowledge.pace.assertWithin(proofPaceStepOf(intent, now), limits);
    return grant(parts, asked, { address, now });
  });
}

async function grant(
  parts: CoreParts,
  { intent, key, digest, signed, text, preimage }: Asked,
  { address, now }: { readonly address: Address; readonly now: bigint },
): Promise<ControlGrant> {
  const { knowledge, committer, hashes } = parts;
  reserveProof(hashes, knowledge, { intent, digest, at: now });
  knowledge.expectGrant(digest, intent);
  // A crash before this returns leaves a grant without a signature, or none; after it, the same request gets its signature.
  const record = await committer.commit({
    type: 'granted',
    at: now,
    fields: {
      intent: text,
      digest,
      key: keyNameOf(key),
      unsigned: Buffer.from(preimage).toString('hex'),
      signed,
      wallet: address,
      path: keyText(key),
      registryVersion: String(knowledge.registry().version),
    },
  });
  return signatureOfGrant(parts, { preimage, key, record });
}
