import { type Address, CustodyError } from '@bulkhead/domain';
import {
  accountOf,
  accountSignatureBytes,
  agreementDigest,
  bytesOf,
  type Hex,
  hexOf,
  keyId,
  parsePasskeySignature,
  vaultAddress,
  wordOf,
} from '@bulkhead/vaults';
import { bytesToHex, concatBytes } from '@noble/hashes/utils.js';
import { parseClientData } from './client-data.ts';
import type { Hashes } from './hashes.ts';
import { atLine } from './registry-list.ts';
import type { Registry, RegistryItem } from './registry.ts';
import { vaultKey, type VaultEntry, type VaultItem } from './registry-vault.ts';

/** What is left to compute before a signature of a client's key counts. Whoever asks has the arithmetic of the curves. */
export type ClientSignatureClaim =
  /** The signature over the digest must recover to the address. */
  | {
      readonly kind: 'secp256k1';
      readonly digest: Uint8Array;
      /** `r || s`. */
      readonly signature: Uint8Array;
      readonly recovery: 0 | 1;
      readonly address: Address;
    }
  /** The signature over the SHA-256 of `signed` must verify with the point of P-256. */
  | {
      readonly kind: 'passkey';
      readonly signed: Uint8Array;
      /** `r || s`. */
      readonly signature: Uint8Array;
      readonly point: { readonly x: bigint; readonly y: bigint };
    };

export type ClientSignature = {
  /** Id of the key in the configuration of the vault. */
  readonly key: Hex;
  /** What was to be signed, 32 bytes. */
  readonly digest: Uint8Array;
  /** As a contract takes it, lower-case hex without prefix. */
  readonly signature: string;
};

const curveHalf = {
  account: 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n,
  passkey: 0x7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8n,
};

/**
 * Reads a signature of a client's key in the form that contracts take, and asserts everything about it but the arithmetic: whose key
 * it names, what it is about, that it is the lower of the two that would do, and that a passkey's user was verified.
 *
 * @throws CustodyError `vault/signature`
 */
export function clientSignatureClaim(hashes: Hashes, given: ClientSignature): ClientSignatureClaim {
  const address = accountOf(given.key);
  return address === undefined ? passkeyClaim(hashes, given) : accountClaim(given, address);
}

function accountClaim({ digest, signature }: ClientSignature, address: Address): ClientSignatureClaim {
  const bytes = bytesOf(`0x${signature}`);
  if (bytes.length !== accountSignatureBytes) throw unusable(`it has ${bytes.length} bytes, and an account's has 65`);
  const recovery = (bytes[64] ?? 0) - 27;
  if (recovery !== 0 && recovery !== 1) throw unusable(`its v is ${bytes[64]}, not 27 or 28`);
  if (BigInt(hexOf(bytes.subarray(32, 64))) > curveHalf.account) throw unusable('its s is in the upper half (EIP-2)');
  return { kind: 'secp256k1', digest, signature: bytes.slice(0, 64), recovery, address };
}

const flags = { userPresent: 0x01, userVerified: 0x04 };
const authenticatorDataBytesMin = 37;

function passkeyClaim(hashes: Hashes, { key, digest, signature }: ClientSignature): ClientSignatureClaim {
  const { x, y, r, s, ...said } = parsePasskeySignature(`0x${signature}`);
  if (keyId(hashes, { kind: 'passkey', point: { x, y } }) !== key) throw unusable('it is of another passkey');
  if (s > curveHalf.passkey) throw unusable('its s is in the upper half');
  const data = bytesOf(said.authenticatorData);
  const client = bytesOf(said.clientDataJSON);
  if (data.length < authenticatorDataBytesMin) throw unusable(`its authenticator data has ${data.length} bytes`);
  if (((data[32] ?? 0) & flags.userPresent) === 0) throw unusable('nobody touched the authenticator');
  if (((data[32] ?? 0) & flags.userVerified) === 0) throw unusable('the authenticator did not verify who used it');
  const { challenge } = parseClientData(client);
  if (challenge !== bytesToHex(digest)) {
    throw unusable(`it is about ${challenge.slice(0, 64)}, not about ${bytesToHex(digest)}`);
  }
  assertPlaces(client, said);
  return {
    kind: 'passkey',
    signed: concatBytes(data, hashes.sha256(client)),
    signature: concatBytes(wordOf(r), wordOf(s)),
    point: { x, y },
  };
}

/** Contracts do not look for type and challenge: they are told where both stand. */
function assertPlaces(
  client: Uint8Array,
  { typeIndex, challengeIndex }: { readonly typeIndex: bigint; readonly challengeIndex: bigint },
): void {
  const text = String.fromCharCode(...client);
  const stands = (words: string, at: bigint): boolean =>
    at < BigInt(client.length) && text.startsWith(words, Number(at));
  if (stands('"type":"webauthn.get"', typeIndex) && stands('"challenge":"', challengeIndex)) return;
  throw unusable('it says wrongly where the type and the challenge stand, and no contract would take it');
}

/** An agreement in a list. */
export type AgreementClaim = { readonly vault: VaultEntry; readonly claim: ClientSignatureClaim };

type Listed = Pick<Registry, 'systems' | 'vaults'>;

/**
 * The agreements of a list: each vault in it, with what remains to be computed about its client's signature. `registry` is the one after
 * the list.
 *
 * @throws CustodyError `signer/registry-list` naming the line
 */
export function agreementClaims(
  hashes: Hashes,
  registry: Listed,
  items: readonly RegistryItem[],
): readonly AgreementClaim[] {
  return items.flatMap((item, at) =>
    item.item === 'vault' ? [atLine(at, () => agreementClaim(hashes, registry, item))] : [],
  );
}

function agreementClaim(hashes: Hashes, { systems, vaults }: Listed, { chain, config }: VaultItem): AgreementClaim {
  const system = systems.get(chain);
  const address = system === undefined ? undefined : vaultAddress(hashes, system, config);
  const vault = address === undefined ? undefined : vaults.get(vaultKey({ chain, address }));
  if (vault === undefined) throw unusable('the vault it is about is not listed');
  const digest = agreementDigest(hashes, vault.address, vault);
  return { vault, claim: clientSignatureClaim(hashes, { key: config.clientKey, digest, signature: vault.agreement }) };
}

function unusable(fact: string): CustodyError {
  return new CustodyError(
    'vault/signature',
    `This signature of a client counts for nothing: ${fact}. Have the client sign again.`,
  );
}
