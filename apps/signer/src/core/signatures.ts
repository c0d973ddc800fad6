import { type Hashes, parseRecordLine } from '@bulkhead/authority';
import type { KeyRef, Signature } from '@bulkhead/domain';
import { addressOfPublicKey, nativeModules } from '@bulkhead/keys';
import type { Addresses } from './addresses.ts';
import type { Committer } from './commit.ts';
import type { Knowledge } from './knowledge.ts';
import type { StateLog } from './log.ts';
import { signatureFields, signatureOf } from './record-fields.ts';

/** How long a signature waits for the others of its group before it is written without them. */
export const signaturesGatheredMsMax: number = 5;

/** A grant that counts: the place of its record, the key that signs, and what it signs. */
export type CountedGrant = { readonly sequence: bigint; readonly key: KeyRef; readonly bytes: Uint8Array };

/**
 * Signatures of grants that count, and of nothing else: the wallet's key is not asked before disk and slots have the grant. So while a
 * grant can still be forgotten, there is no signature that anybody could find, and keep for when it is.
 */
export type Signatures = {
  /**
   * The signature of the log, or one that is made now and is on disk when it is returned.
   *
   * @throws CustodyError `hsm/…`: the grant stays, and the same request tries again
   */
  of(grant: CountedGrant): Promise<Signature>;
};

export type SignaturesParts = {
  readonly hashes: Hashes;
  readonly log: StateLog;
  readonly knowledge: Knowledge;
  readonly committer: Committer;
  readonly addresses: Addresses;
};

export function openSignatures(parts: SignaturesParts): Signatures {
  const underWay = new Map<bigint, Promise<Signature>>();
  const gathering = openGathering();
  return {
    async of(grant) {
      const running = underWay.get(grant.sequence);
      if (running !== undefined) return running;
      const signature = signatureFor(parts, gathering, grant).finally(() => underWay.delete(grant.sequence));
      underWay.set(grant.sequence, signature);
      return signature;
    },
  };
}

async function signatureFor(parts: SignaturesParts, gathering: Gathering, grant: CountedGrant): Promise<Signature> {
  const { addresses, committer, hashes } = parts;
  const digest = hashes.keccak256(grant.bytes);
  const written = await writtenFor(parts, { grant, digest });
  if (written !== undefined) return written;
  const signature = await gathering.gathered(async () => addresses.driverOf(grant.key).sign(grant.key, digest));
  // A crash before the record is on disk, or a folder put back to before it: nobody was answered, and the same bytes are signed anew.
  // Two signatures are then two transactions with the same content and the same nonce, of which the chain takes one. So this record
  // does not wait for the slots. Once it is on disk, every repetition gets this very signature.
  await committer.keep({ grant: String(grant.sequence), ...signatureFields(signature) });
  return signature;
}

/**
 * What the log has for a grant. A record that no signed head covered when the process started was believed by nobody: what does not
 * recover to the wallet's address is as good as not there.
 */
async function writtenFor(
  { log, knowledge, addresses }: SignaturesParts,
  { grant, digest }: { readonly grant: CountedGrant; readonly digest: Uint8Array },
): Promise<Signature | undefined> {
  for (const sequence of knowledge.signed(grant.sequence)) {
    const signature = signatureOf(parseRecordLine(await log.line(sequence)).fields);
    if (signerOf(signature, digest) === (await addresses.of(grant.key))) return signature;
  }
  return undefined;
}

function signerOf({ r, s, yParity }: Signature, digest: Uint8Array): string | undefined {
  const compact = Buffer.from(`${wordOf(r)}${wordOf(s)}`, 'hex');
  try {
    return addressOfPublicKey(nativeModules().secp256k1.ecdsaRecover(compact, yParity, digest, false));
  } catch {
    return undefined;
  }
}

function wordOf(value: bigint): string {
  return value.toString(16).padStart(64, '0');
}

type Gathering = {
  /** Returns when everything that was begun beside it has ended, too, or has taken too long. */
  gathered<T>(work: () => Promise<T>): Promise<T>;
};

/** Grants of one group become known at once and are signed at once; their signatures are written at once. */
function openGathering(): Gathering {
  let running = 0;
  const waiting: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;
  const release = (): void => {
    clearTimeout(timer);
    timer = undefined;
    for (const go of waiting.splice(0)) go();
  };
  return {
    async gathered(work) {
      running += 1;
      try {
        return await work();
      } finally {
        running -= 1;
        if (running === 0) release();
        else {
          timer ??= setTimeout(release, signaturesGatheredMsMax);
          await new Promise<void>((go) => waiting.push(go));
        }
      }
    },
  };
}
