import { type Address, type ChainId, CustodyError, isLogOrigin, parseAddress, parseChainId } from '@bulkhead/domain';
import type { CanonicalObject } from './canonical-json.ts';
import { isHex } from './hashes.ts';
import { fieldOf } from './registry-field.ts';

/** Where proofs of reserves are pinned on a chain, and by whom. */
export type ProofRegistryEntry = {
  readonly chain: ChainId;
  readonly registry: Address;
  /** Who the contract was made for, 64 lower-case hex digits. */
  readonly custodian: string;
  /** Whose quorum the contract asks: the set of signers of the chain's vaults. */
  readonly signerSet: Address;
};

export const proofRegistryNames: readonly string[] = ['chain', 'registry', 'custodian', 'signerSet'];

export function proofRegistryFields({ chain, registry, custodian, signerSet }: ProofRegistryEntry): CanonicalObject {
  return { item: 'proof-registry', chain, registry, custodian, signerSet };
}

/** @throws CustodyError `signer/registry-list` and the faults of the field parsers */
export function proofRegistryOf(fields: CanonicalObject): ProofRegistryEntry {
  const custodian = fieldOf(fields, 'custodian');
  if (!isHex(custodian, 32) || /^0+$/u.test(custodian)) {
    throw wrong('the custodian is not 64 lower-case hex digits, or nobody');
  }
  return {
    chain: parseChainId(fieldOf(fields, 'chain')),
    registry: addressOf(fields, 'registry'),
    custodian,
    signerSet: addressOf(fields, 'signerSet'),
  };
}

/** The name of the audit log that this installation has. @throws CustodyError `signer/registry-list` */
export function logOriginOf(fields: CanonicalObject): string {
  const origin = fieldOf(fields, 'origin');
  if (isLogOrigin(origin)) return origin;
  throw wrong('a log has 1 to 255 visible characters of ASCII without ", + and \\ for its name');
}

function addressOf(fields: CanonicalObject, name: string): Address {
  const text = fieldOf(fields, name);
  const address = parseAddress(text);
  if (address !== text) throw wrong(`"${text.slice(0, 60)}" is not in lower case`);
  if (/^0x0+$/u.test(address)) throw wrong(`"${name}" is the zero address`);
  return address;
}

function wrong(fact: string): CustodyError {
  return new CustodyError('signer/registry-list', fact);
}
