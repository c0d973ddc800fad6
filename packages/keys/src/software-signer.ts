import {
  type AccountXpub,
  type Address,
  type ChainId,
  chainOf,
  type Clock,
  type Compartment,
  CustodyError,
  type Intent,
  intentBytes,
  invariant,
  type KeyPath,
  parseCompartment,
  parseIntent,
  type Signature,
  type Signer,
  type SignRequest,
} from '@bulkhead/domain';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import type { HDKey } from '@scure/bip32';
import { assertConforms, recipientIndexCount } from './conformity.ts';
import { accountNode, addressNode, addressOf, addressOfPublicKey, coinNode, hasAddress } from './derivation.ts';
import { openKeyFile } from './key-file.ts';
import { seedOfEntropy } from './mnemonic.ts';
import { parseUnsignedTransaction } from './transaction.ts';

export type SoftwareSignerOptions = {
  readonly path: string;
  readonly passphrase: string;
  /** The only chains that are signed for: those where coins are worth nothing. */
  readonly developmentChains: readonly ChainId[];
  readonly clock: Clock;
};

export type SoftwareSigner = Signer & {
  readonly residency: 'software';
  /** BIP-32 fingerprint of the master key, eight hex digits. */
  readonly fingerprint: string;
  /** Wipes what can be wiped. Every later call is refused. */
  close(): void;
};

/**
 * Opens a key file for signing. Of the seed only the node `m/44'/60'` stays in memory, until {@link SoftwareSigner.close}.
 *
 * @throws CustodyError `key/missing-file`, `key/file-access`, `key/damaged-file`, `key/wrong-passphrase`
 */
export async function openSoftwareSigner(options: SoftwareSignerOptions): Promise<SoftwareSigner> {
  const { entropy, fingerprint } = await openKeyFile(options.path, options.passphrase);
  const seed = await seedOfEntropy(entropy);
  entropy.fill(0);
  const coin = coinNode(seed);
  seed.fill(0);
  const chains: ReadonlySet<string> = new Set(options.developmentChains);
  const { clock } = options;
  const holds = (compartment: Compartment, address: Address): boolean =>
    hasAddress(xpubOf(coin, compartment), address, recipientIndexCount);
  let closed = false;

  // The node lives in this closure and in no property: printing or serializing the signer shows no key.
  return {
    residency: 'software',
    fingerprint,
    async accountXpub(compartment: Compartment): Promise<AccountXpub> {
      invariant(!closed, 'The signer was asked for an xpub after it was closed.');
      return xpubOf(coin, parseCompartment(compartment));
    },
    async sign(request: SignRequest): Promise<Signature> {
      invariant(!closed, 'The signer was asked to sign after it was closed.');
      const unsigned = Uint8Array.from(request.unsigned);
      // Read back from its canonical bytes: what is compared below is what the intent's digest stands for.
      const intent = parseIntent(intentBytes(request.intent));
      const transaction = parseUnsignedTransaction(unsigned);
      assertDevelopment(chains, transaction.chain);
      assertDevelopment(chains, chainOf(intent.asset));
      assertNotExpired(intent, clock);
      const node = keyNode(coin, request.path);
      try {
        assertConforms({ intent, path: request.path, own: addressOf(node), transaction, holds });
        return signDigest(node, keccak_256(unsigned));
      } finally {
        node.wipePrivateData();
      }
    },
    close(): void {
      closed = true;
      coin.wipePrivateData();
    },
  };
}

function xpubOf(coin: HDKey, compartment: Compartment): AccountXpub {
  const account = accountNode(coin, compartment);
  const xpub = account.publicExtendedKey;
  account.wipePrivateData();
  return { compartment, xpub };
}

function keyNode(coin: HDKey, path: KeyPath): HDKey {
  const account = accountNode(coin, parseCompartment(path.compartment));
  try {
    return addressNode(account, path.index);
  } finally {
    account.wipePrivateData();
  }
}

/**
 * Deterministic (RFC 6979), with `s` in the lower half (EIP-2). The signature is recovered to the address it must belong to
 * before it is returned, which also catches a computation that went wrong: a faulty signature can betray the key.
 */
function signDigest(node: HDKey, digest: Uint8Array): Signature {
  const key = node.privateKey;
  invariant(key !== null, 'An HD node that should sign has no private key.');
  const options = { prehash: false, lowS: true, extraEntropy: false } as const;
  const bytes = secp256k1.sign(digest, key, { ...options, format: 'recovered' });
  key.fill(0);
  const recovered = addressOfPublicKey(secp256k1.recoverPublicKey(bytes, digest, { prehash: false }));
  invariant(recovered === addressOf(node), 'A signature does not recover to the address of its key.');
  const { r, s, recovery } = secp256k1.Signature.fromBytes(bytes, 'recovered');
  invariant(s <= secp256k1.Point.Fn.ORDER / 2n, 'A signature has its s in the upper half.');
  invariant(recovery === 0 || recovery === 1, 'The r of a signature left the range of its field.');
  return { r, s, yParity: recovery };
}

function assertDevelopment(chains: ReadonlySet<string>, chain: ChainId): void {
  if (chains.has(chain)) return;
  throw new CustodyError(
    'signer/chain-not-development',
    `${chain} is not listed as a development chain (${[...chains].join(', ') || 'none is'}), and keys in software sign for no other. Use a hardware key, or list the chain if its coins are worth nothing.`,
    { details: { chain } },
  );
}

function assertNotExpired(intent: Intent, clock: Clock): void {
  if (intent.kind !== 'withdrawal' && intent.kind !== 'deposit-return') return;
  const now = clock.now();
  if (BigInt(now.getTime()) > intent.expiresAt * 1_000n) {
    throw new CustodyError(
      'signer/intent-expired',
      `Intent ${intent.id} expired at ${intent.expiresAt} (Unix seconds); it is ${now.toISOString()}. Nothing was signed: ask for the withdrawal anew.`,
      { details: { id: intent.id } },
    );
  }
}
