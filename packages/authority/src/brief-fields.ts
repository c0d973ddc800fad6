import { CustodyError, faultCodes, parseAddress, parseAmount, parseAssetId } from '@bulkhead/domain';
import type { Brief, BriefDestination, BriefFees, BriefRule } from './brief.ts';
import { type CanonicalObject, type CanonicalValue, isCanonicalObject } from './canonical-json.ts';
import { isHex } from './hashes.ts';
import type { KnownAddress } from './look-alike.ts';
import { assertNames, countOf, fieldOf, listOf, objectOf, oneOf } from './registry-field.ts';

/** The fields of a `brief` statement: numbers as digits, true and false as words, absent where unknown. */
export function briefFields(brief: Brief): CanonicalObject {
  const { deployment, digest, at, registryVersion, approvedBy, rule, fees, asset, destination } = brief;
  return {
    deployment,
    digest,
    at: String(at),
    registryVersion: String(registryVersion),
    approvalsNeeded: String(brief.approvalsNeeded),
    requestNeeded: String(brief.requestNeeded),
    approvedBy,
    ...(rule === undefined ? {} : { rule: texts(rule) }),
    ...(fees === undefined ? {} : { fees: texts(fees) }),
    ...(asset === undefined ? {} : { asset: texts(asset) }),
    ...(destination === undefined ? {} : { destination: destinationFields(destination) }),
    ...(brief.client === undefined ? {} : { client: brief.client }),
    ...(brief.compartmentKind === undefined ? {} : { compartmentKind: brief.compartmentKind }),
    ...(brief.development === undefined ? {} : { development: String(brief.development) }),
    ...(brief.refusal === undefined ? {} : { refusal: texts(brief.refusal) }),
  };
}

/**
 * Reads the fields of a `brief` statement. Verify its signature, and that `digest` and `deployment` are those of the intent.
 *
 * @throws CustodyError `signer/certificate-invalid`
 */
export function parseBrief(fields: CanonicalObject): Brief {
  try {
    return briefFrom(fields);
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    throw new CustodyError('signer/certificate-invalid', `This brief of the signer cannot be read: ${error.message}`, {
      cause: error,
    });
  }
}

function briefFrom(fields: CanonicalObject): Brief {
  const { rule, fees, asset, destination, refusal } = fields;
  return {
    deployment: hexOf(fields, 'deployment', 16),
    digest: hexOf(fields, 'digest', 32),
    at: amountOf(fields, 'at'),
    registryVersion: amountOf(fields, 'registryVersion'),
    approvalsNeeded: countOf(fields, 'approvalsNeeded', 1_000),
    requestNeeded: truthOf(fields, 'requestNeeded'),
    approvedBy: listOf(fields, 'approvedBy').map((person) => textOf(person)),
    ...(rule === undefined ? {} : { rule: ruleFrom(objectOf(rule)) }),
    ...(fees === undefined ? {} : { fees: feesFrom(objectOf(fees)) }),
    ...(asset === undefined ? {} : { asset: assetFrom(objectOf(asset)) }),
    ...(destination === undefined ? {} : { destination: destinationFrom(objectOf(destination)) }),
    ...(fields['client'] === undefined ? {} : { client: fieldOf(fields, 'client') }),
    ...(fields['compartmentKind'] === undefined
      ? {}
      : { compartmentKind: oneOf(fields, 'compartmentKind', ['house', 'group', 'omnibus', 'individual']) }),
    ...(fields['development'] === undefined ? {} : { development: truthOf(fields, 'development') }),
    ...(refusal === undefined ? {} : { refusal: refusalFrom(objectOf(refusal)) }),
  };
}

function ruleFrom(fields: CanonicalObject): BriefRule {
  assertNames(fields, ['tier', 'destination', 'amountMax', 'windowSeconds', 'windowMax', 'spent', 'left']);
  return {
    tier: oneOf(fields, 'tier', ['hot', 'warm', 'cold']),
    destination: oneOf(fields, 'destination', ['enrolled', 'any', 'own']),
    amountMax: amountOf(fields, 'amountMax'),
    ...windowFrom(fields),
  };
}

function feesFrom(fields: CanonicalObject): BriefFees {
  assertNames(fields, ['feeMax', 'windowSeconds', 'windowMax', 'spent', 'left']);
  return { feeMax: amountOf(fields, 'feeMax'), ...windowFrom(fields) };
}

function windowFrom(fields: CanonicalObject): Pick<BriefFees, 'windowSeconds' | 'windowMax' | 'spent' | 'left'> {
  return {
    windowSeconds: amountOf(fields, 'windowSeconds'),
    windowMax: amountOf(fields, 'windowMax'),
    spent: amountOf(fields, 'spent'),
    left: amountOf(fields, 'left'),
  };
}

function assetFrom(fields: CanonicalObject): NonNullable<Brief['asset']> {
  assertNames(fields, ['asset', 'symbol', 'decimals']);
  return {
    asset: parseAssetId(fieldOf(fields, 'asset')),
    symbol: fieldOf(fields, 'symbol'),
    decimals: countOf(fields, 'decimals', 77),
  };
}

function destinationFields(destination: BriefDestination): CanonicalObject {
  const { label, usableFrom, timesUsed, firstUsed } = destination;
  return {
    timesUsed: String(timesUsed),
    lookAlikes: destination.lookAlikes.map((known) => texts(known)),
    ...(label === undefined ? {} : { label }),
    ...(usableFrom === undefined ? {} : { usableFrom: String(usableFrom) }),
    ...(firstUsed === undefined ? {} : { firstUsed: String(firstUsed) }),
  };
}

function destinationFrom(fields: CanonicalObject): BriefDestination {
  assertNames(fields, ['timesUsed', 'lookAlikes', 'label', 'usableFrom', 'firstUsed']);
  return {
    timesUsed: amountOf(fields, 'timesUsed'),
    lookAlikes: listOf(fields, 'lookAlikes').map((known) => knownFrom(objectOf(known))),
    ...(fields['label'] === undefined ? {} : { label: fieldOf(fields, 'label') }),
    ...(fields['usableFrom'] === undefined ? {} : { usableFrom: amountOf(fields, 'usableFrom') }),
    ...(fields['firstUsed'] === undefined ? {} : { firstUsed: amountOf(fields, 'firstUsed') }),
  };
}

function knownFrom(fields: CanonicalObject): KnownAddress {
  assertNames(fields, ['address', 'label']);
  return { address: parseAddress(fieldOf(fields, 'address')), label: fieldOf(fields, 'label') };
}

function refusalFrom(fields: CanonicalObject): NonNullable<Brief['refusal']> {
  assertNames(fields, ['code', 'message']);
  return { code: oneOf(fields, 'code', faultCodes), message: fieldOf(fields, 'message') };
}

function texts(values: Readonly<Record<string, string | number | bigint>>): CanonicalObject {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}

function amountOf(fields: CanonicalObject, name: string): bigint {
  return parseAmount(fieldOf(fields, name));
}

function truthOf(fields: CanonicalObject, name: string): boolean {
  return oneOf(fields, name, ['true', 'false']) === 'true';
}

function hexOf(fields: CanonicalObject, name: string, bytes: number): string {
  const text = fieldOf(fields, name);
  if (!isHex(text, bytes)) {
    throw new CustodyError('signer/certificate-invalid', `"${name}" is no hex of ${bytes} bytes.`);
  }
  return text;
}

function textOf(value: CanonicalValue): string {
  if (typeof value === 'string') return value;
  throw new CustodyError(
    'signer/certificate-invalid',
    `A person in "approvedBy" is ${isCanonicalObject(value) ? 'an object' : 'a list'}.`,
  );
}
