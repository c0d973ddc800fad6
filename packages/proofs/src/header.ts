import { type AssetId, parseAssetId } from '@bulkhead/domain';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import {
  equalBytes,
  exactly,
  type FieldReader,
  malformed,
  readFields,
  unsignedBytes,
  wordBytes,
} from './fixed-width.ts';

/** How balances are shown: as sums along the path, or as commitments. */
export type Tier = 'plain' | 'confidential';

/**
 * What one proof of reserves is about: one asset at one block, in one epoch of one custodian's registry. Everything that a
 * verifier must not take from a proof stands here, and the registry pins its hash, the context.
 */
export type ReserveHeader = {
  readonly tier: Tier;
  /** Width of a leaf's range, 64 or 128 bits; of the plain tier always 128. */
  readonly bits: 64 | 128;
  /** EIP-155 number of the chain that the registry is on. */
  readonly registryChain: bigint;
  /** 20 bytes. */
  readonly registry: Uint8Array;
  /** 32 bytes that name the custodian; challenges to wallets carry the same. */
  readonly custodian: Uint8Array;
  /** Rises with every proof of this asset. */
  readonly epoch: bigint;
  readonly asset: AssetId;
  /** A unit is 10^unitExponent of the asset's smallest unit. Liabilities round up to it, reserves down. */
  readonly unitExponent: number;
  /** The pinned block of the asset's chain; the hash has 32 bytes. */
  readonly blockNumber: bigint;
  readonly blockHash: Uint8Array;
  /** Position of the ledger at the coverage marker of that block: claims are those of this position. */
  readonly ledgerPosition: bigint;
  /** Unix seconds. */
  readonly takenAt: bigint;
  /** Context of the epoch before, 32 bytes; zeros before the first. */
  readonly previous: Uint8Array;
};

export const headerVersion = 1;

/** More decimals than any token has; ten to this power still fits an amount. */
export const unitExponentMax = 36;

const domainText = 'bulkhead/reserves';
const assetBytesMax = 120;

/** Bytes of a header, as they stand in every artefact. @throws CustodyError `proof/malformed` */
export function encodeHeader(header: ReserveHeader): Uint8Array {
  const { tier, bits, unitExponent } = header;
  if (tier === 'plain' && bits !== 128) throw malformed('leaves of the plain tier have 128 bits');
  if (!Number.isInteger(unitExponent) || unitExponent < 0 || unitExponent > unitExponentMax) {
    throw malformed(`${unitExponent} is no exponent of a unit from 0 to ${unitExponentMax}`);
  }
  const asset = utf8ToBytes(parseAssetId(header.asset));
  if (asset.length > assetBytesMax) throw malformed(`an asset's id has more than ${assetBytesMax} bytes`);
  return concatBytes(
    utf8ToBytes(domainText),
    unsignedBytes(headerVersion, 2),
    unsignedBytes(tier === 'plain' ? 1 : 2, 1),
    unsignedBytes(bits, 1),
    unsignedBytes(header.registryChain, 8),
    exactly(header.registry, 20, 'a registry'),
    exactly(header.custodian, wordBytes, 'a custodian'),
    unsignedBytes(header.epoch, 8),
    unsignedBytes(unitExponent, 1),
    unsignedBytes(header.blockNumber, 8),
    exactly(header.blockHash, wordBytes, 'a block hash'),
    unsignedBytes(header.ledgerPosition, 8),
    unsignedBytes(header.takenAt, 8),
    exactly(header.previous, wordBytes, 'a context'),
    unsignedBytes(asset.length, 1),
    asset,
  );
}

/** Bytes of a header whose asset's id has none; the id follows. */
const fixedBytes = encodedFixedBytes();

function encodedFixedBytes(): number {
  return domainText.length + 2 + 1 + 1 + 8 + 20 + wordBytes + 8 + 1 + 8 + wordBytes + 8 + 8 + wordBytes + 1;
}

/** Length of the header that bytes begin with, or undefined where they are too short to say. */
export function headerLength(bytes: Uint8Array): number | undefined {
  const asset = bytes[fixedBytes - 1];
  return asset === undefined ? undefined : fixedBytes + asset;
}

/** Reads a header back; undefined for bytes that {@link encodeHeader} does not write. */
export function decodeHeader(bytes: Uint8Array): ReserveHeader | undefined {
  const fields = readFields(bytes);
  const domain = fields.bytes(domainText.length);
  const version = fields.number(2);
  const tier = fields.number(1) === 1 ? 'plain' : 'confidential';
  const bits = fields.number(1) === 64 ? 64 : 128;
  const read = {
    registryChain: fields.unsigned(8),
    registry: fields.bytes(20),
    custodian: fields.bytes(wordBytes),
    epoch: fields.unsigned(8),
    unitExponent: fields.number(1),
    blockNumber: fields.unsigned(8),
    blockHash: fields.bytes(wordBytes),
    ledgerPosition: fields.unsigned(8),
    takenAt: fields.unsigned(8),
    previous: fields.bytes(wordBytes),
    asset: fields.bytes(fields.number(1) ?? 0),
  };
  const { asset, ...rest } = read;
  if (domain === undefined || version === undefined || !isWhole(rest) || asset === undefined) return undefined;
  try {
    const header: ReserveHeader = {
      ...rest,
      tier,
      bits,
      asset: parseAssetId(new TextDecoder('utf-8', { fatal: true }).decode(asset)),
    };
    // What was guessed above (domain, version, tier, bits) shows here: there is one encoding of each header.
    return equalBytes(encodeHeader(header), bytes) ? header : undefined;
  } catch {
    return undefined;
  }
}

/** Reads the header that stands next, with its context; undefined for none. */
export function takeHeader(
  fields: FieldReader,
): { readonly header: ReserveHeader; readonly context: Uint8Array } | undefined {
  const fixed = fields.bytes(fixedBytes);
  const asset = fields.bytes(fixed?.at(-1) ?? 0);
  if (fixed === undefined || asset === undefined) return undefined;
  const encoded = concatBytes(fixed, asset);
  const header = decodeHeader(encoded);
  return header === undefined ? undefined : { header, context: contextOfBytes(encoded) };
}

type Whole<T> = { readonly [K in keyof T]: Exclude<T[K], undefined> };

function isWhole<T extends object>(fields: T): fields is T & Whole<T> {
  return Object.values(fields).every((value) => value !== undefined);
}

/** The context: what every hash of an epoch and asset begins with, and what the registry chains. 32 bytes. */
export function contextOf(header: ReserveHeader): Uint8Array {
  return contextOfBytes(encodeHeader(header));
}

/** The context of a header's bytes. */
export function contextOfBytes(encoded: Uint8Array): Uint8Array {
  return keccak_256(concatBytes(Uint8Array.of(0x10), encoded));
}

/** Whether a header continues another: same custodian, registry, asset, form and unit, a later epoch, chained by its context. */
export function followsHeader(header: ReserveHeader, previous: ReserveHeader): boolean {
  return (
    header.epoch > previous.epoch &&
    header.asset === previous.asset &&
    header.tier === previous.tier &&
    header.registryChain === previous.registryChain &&
    header.takenAt > previous.takenAt &&
    header.blockNumber >= previous.blockNumber &&
    equalBytes(header.registry, previous.registry) &&
    equalBytes(header.custodian, previous.custodian) &&
    equalBytes(header.previous, contextOf(previous))
  );
}

/** Units that a claim counts for: rounded up. @param amount in the asset's smallest unit */
export function liabilityUnits(header: ReserveHeader, amount: bigint): bigint {
  if (amount < 0n) throw malformed(`a claim of ${amount} is negative; claims are never netted`);
  // A million claims are counted one by one: in the smallest unit there is nothing to round.
  if (header.unitExponent === 0) return amount;
  const unit = 10n ** BigInt(header.unitExponent);
  return (amount + unit - 1n) / unit;
}

/** Units that a compartment's coins count for: rounded down. @param amount in the asset's smallest unit */
export function reserveUnits(header: ReserveHeader, amount: bigint): bigint {
  if (amount < 0n) throw malformed(`reserves of ${amount} are negative`);
  return amount / 10n ** BigInt(header.unitExponent);
}
