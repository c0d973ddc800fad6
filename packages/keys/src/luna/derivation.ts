import { CustodyError, type FaultCode } from '@bulkhead/domain';
import { cka, ckr, nameOfResult, ulongBytes } from '../pkcs11/cryptoki.ts';
import { pointAttributeBytesMax, readSecp256k1Point } from '../pkcs11/ec-point.ts';
import {
  type Attribute,
  reserveAttributes,
  type Frame,
  type Place,
  type Template,
  writeMechanism,
  writeTemplate,
  writeUlongs,
} from '../pkcs11/frame.ts';
import { accept, Refusal } from '../pkcs11/refusal.ts';
import type { Desk, Slot } from '../pkcs11/slot.ts';

/**
 * The BIP-32 mechanisms of Thales Luna and ProtectServer, as the vendor's documentation and headers have them: CKM_BIP32_MASTER_DERIVE,
 * CKM_BIP32_CHILD_DERIVE, CKK_BIP32, CKA_BIP32_CHAIN_CODE.
 */
const masterDerive = 0x8000_0e00;
const childDerive = 0x8000_0e01;
const bip32Key = 0x8000_0014;
const chainCodeAttribute = 0x8000_1100;

/** What a public key object of the mechanisms says. */
export type PublicNode = {
  /** Uncompressed, 65 bytes. */
  readonly publicKey: Uint8Array;
  readonly chainCode: Uint8Array;
};

/** Session objects. */
export type NodeHandles = { readonly publicKey: bigint; readonly privateKey: bigint };

/**
 * Without EC_PARAMS, which would make the derivation SLIP-10. The templates are those of session objects: nothing derived is ever
 * stored.
 */
const publicAttributes: readonly Attribute[] = [
  [cka.TOKEN, false],
  [cka.PRIVATE, true],
  [cka.KEY_TYPE, bip32Key],
  [cka.VERIFY, true],
];
const privateAttributes: readonly Attribute[] = [
  [cka.TOKEN, false],
  [cka.PRIVATE, true],
  [cka.KEY_TYPE, bip32Key],
  [cka.SENSITIVE, true],
  [cka.EXTRACTABLE, false],
  [cka.SIGN, true],
  [cka.DERIVE, true],
];

/** @param seed handle of a generic secret */
export async function deriveMaster(desk: Desk, seed: bigint): Promise<NodeHandles> {
  const { frame } = desk.session;
  // CK_BIP32_MASTER_DERIVE_PARAMS: two templates, two handles that come back.
  const parameter = frame.reserve(6 * ulongBytes);
  writeUlongs(parameter.bytes, templates(frame));
  await derive(desk, seed, { mechanism: masterDerive, parameter });
  return handlesAt(parameter.bytes, 4);
}

/** @param path child numbers below the base, hardened ones with their highest bit */
export async function deriveChild(desk: Desk, base: bigint, path: readonly number[]): Promise<NodeHandles> {
  const { frame } = desk.session;
  const steps = frame.reserve(path.length * ulongBytes);
  writeUlongs(steps.bytes, path.map(BigInt));
  // CK_BIP32_CHILD_DERIVE_PARAMS: two templates, the path, two handles and the index of an error that come back.
  const parameter = frame.reserve(9 * ulongBytes);
  writeUlongs(parameter.bytes, [...templates(frame), steps.address, BigInt(path.length)]);
  await derive(desk, base, { mechanism: childDerive, parameter });
  return handlesAt(parameter.bytes, 6);
}

export async function readNode({ session }: Desk, publicKey: bigint): Promise<PublicNode> {
  const read = reserveAttributes(session.frame, [
    [cka.EC_POINT, pointAttributeBytesMax],
    [chainCodeAttribute, 32],
  ]);
  await session.call('C_GetAttributeValue', [publicKey, read.address, read.count]);
  return {
    publicKey: readSecp256k1Point(read.read(0) ?? new Uint8Array()),
    chainCode: read.read(1) ?? new Uint8Array(),
  };
}

/** A module without the mechanisms answers a derivation in ways that name no reason, so it is asked before. */
export async function assertDerives({ session }: Desk, slot: Slot): Promise<void> {
  const slotId = slot.info()?.slotId ?? 0n;
  const info = session.frame.reserve(3 * ulongBytes);
  for (const mechanism of [masterDerive, childDerive]) {
    const result = await slot.module.cryptoki.callAsync('C_GetMechanismInfo', [
      slotId,
      BigInt(mechanism),
      info.address,
    ]);
    if (result !== ckr.OK) throw derivationFault(ckr.MECHANISM_INVALID) ?? new Refusal('C_GetMechanismInfo', result);
  }
}

async function derive(
  { session }: Desk,
  base: bigint,
  task: { readonly mechanism: number; readonly parameter: Place },
): Promise<void> {
  const mechanism = writeMechanism(session.frame, task.mechanism, task.parameter);
  // Template and place for the handle must be NULL: the parameters carry both.
  const result = await session.ask('C_DeriveKey', [mechanism, base, 0n, 0n, 0n]);
  const fault = derivationFault(result);
  if (fault !== undefined) throw fault;
  accept('C_DeriveKey', result);
}

const meanings: ReadonlyMap<number, readonly [FaultCode, string]> = new Map<number, readonly [FaultCode, string]>([
  [ckr.BIP32_CHILD_INDEX_INVALID, ['key/derivation', 'there is no key at this index; use the next one']],
  [ckr.BIP32_INVALID_HARDENED_DERIVATION, ['key/derivation', 'a hardened key cannot be derived from a public one']],
  [ckr.BIP32_INVALID_KEY_PATH_LEN, ['key/derivation', 'the path has a length that the module does not take']],
  [ckr.BIP32_MASTER_SEED_LEN_INVALID, ['hsm/refused', 'the seed must have 16 to 64 bytes']],
  [ckr.BIP32_MASTER_SEED_INVALID, ['hsm/refused', 'BIP-32 has no master key for this seed; make another one']],
  [
    ckr.MECHANISM_INVALID,
    [
      'hsm/mechanism-missing',
      'the partition has no BIP-32: it needs firmware 7.3 or newer and a policy without FIPS restrictions',
    ],
  ],
]);

/** What a result of the derivation means for the caller; undefined for success and for what every function may answer. */
export function derivationFault(result: number): CustodyError | undefined {
  const meaning = meanings.get(result);
  if (meaning === undefined) return undefined;
  const [code, text] = meaning;
  return new CustodyError(code, `The module derived no key (${nameOfResult(result)}): ${text}.`);
}

function templates(frame: Frame): readonly bigint[] {
  const pair = (template: Template): readonly bigint[] => [template.address, template.count];
  return [...pair(writeTemplate(frame, publicAttributes)), ...pair(writeTemplate(frame, privateAttributes))];
}

function handlesAt(bytes: Buffer, index: number): NodeHandles {
  return {
    publicKey: bytes.readBigUInt64LE(index * ulongBytes),
    privateKey: bytes.readBigUInt64LE((index + 1) * ulongBytes),
  };
}
