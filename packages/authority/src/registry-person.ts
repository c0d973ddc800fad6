import { CustodyError, parseAddress } from '@bulkhead/domain';
import type { CanonicalObject, CanonicalValue } from './canonical-json.ts';
import { isHex } from './hashes.ts';
import type { ApproverKey, PersonRole } from './registry.ts';
import { assertNames, fieldOf, oneOf } from './registry-field.ts';

/** Keys of one person: a few passkeys, a hardware wallet, spares. */
export const personKeysMax: number = 10;

/** Bytes of a credential id (W3C WebAuthn level 3, section 6.1). */
export const credentialBytesMax: number = 1_023;

export const roles: readonly PersonRole[] = ['approver', 'operational', 'requester', 'root'];

const idForm = /^[a-z][a-z0-9-]{0,63}$/u;
const hostForm = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/u;
const originForm = /^(https?):\/\/([a-z0-9.-]{1,253})(?::[1-9][0-9]{0,4})?$/u;

/** @throws CustodyError `signer/registry-list` */
export function personIdOf(text: string): string {
  if (!idForm.test(text)) {
    throw wrong(
      `"${text.slice(0, 90)}" is no id of a person: a lower-case letter, then letters, digits and hyphens, at most 64`,
    );
  }
  return text;
}

/** Each role once, in the order of the alphabet, so that a list has one form. @throws CustodyError `signer/registry-list` */
export function rolesOf(values: readonly CanonicalValue[]): readonly PersonRole[] {
  const found = roles.filter((role) => values.includes(role));
  if (found.length !== values.length || found.some((role, at) => values[at] !== role)) {
    throw wrong(`roles are among ${roles.join(', ')}, each once and in this order`);
  }
  return found;
}

export function approverKeyFields(key: ApproverKey): CanonicalObject {
  const { id, kind } = key;
  switch (kind) {
    case 'webauthn': {
      const { credential, publicKey, relyingParty, origin } = key;
      return { id, kind, credential, publicKey, relyingParty, origin };
    }
    case 'eip712':
      return { id, kind, address: key.address };
    case 'ed25519':
      return { id, kind, publicKey: key.publicKey };
  }
}

/** @throws CustodyError `signer/registry-list`, `address/malformed` */
export function approverKeyOf(fields: CanonicalObject): ApproverKey {
  const kind = oneOf(fields, 'kind', ['webauthn', 'eip712', 'ed25519']);
  const id = fieldOf(fields, 'id');
  if (!idForm.test(id)) throw wrong(`"${id.slice(0, 90)}" is no id of a key`);
  switch (kind) {
    case 'webauthn':
      assertNames(fields, ['id', 'kind', 'credential', 'publicKey', 'relyingParty', 'origin']);
      return { id, kind, credential: credentialOf(fields), publicKey: pointOf(fields), ...pageOf(fields) };
    case 'eip712':
      assertNames(fields, ['id', 'kind', 'address']);
      return { id, kind, address: walletOf(fields) };
    case 'ed25519':
      assertNames(fields, ['id', 'kind', 'publicKey']);
      return { id, kind, publicKey: edwardsKeyOf(fieldOf(fields, 'publicKey')) };
  }
}

/** What a key is made of, as text: the same material in two hands would let one person count twice. */
export function keyMaterial(key: ApproverKey): readonly string[] {
  switch (key.kind) {
    case 'webauthn':
      return [`webauthn ${key.publicKey}`, `credential ${key.credential}`];
    case 'eip712':
      return [`eip712 ${key.address}`];
    case 'ed25519':
      return [`ed25519 ${key.publicKey}`];
  }
}

function credentialOf(fields: CanonicalObject): string {
  const credential = fieldOf(fields, 'credential');
  const bytes = credential.length / 2;
  if (bytes < 1 || bytes > credentialBytesMax || !isHex(credential, bytes)) {
    throw wrong(`a credential id is hex of 1 to ${credentialBytesMax} bytes`);
  }
  return credential;
}

function pointOf(fields: CanonicalObject): string {
  const point = fieldOf(fields, 'publicKey');
  if (!isHex(point, 65) || !point.startsWith('04')) {
    throw wrong('a passkey has an uncompressed P-256 point: 65 bytes, hex, 04 first');
  }
  return point;
}

/** An assertion carries both; browsers give it only to an origin whose host is the relying party's or below it. */
function pageOf(fields: CanonicalObject): { readonly relyingParty: string; readonly origin: string } {
  const relyingParty = fieldOf(fields, 'relyingParty');
  const origin = fieldOf(fields, 'origin');
  const [, scheme, host = ''] = originForm.exec(origin) ?? [];
  if (!hostForm.test(relyingParty) || !hostForm.test(host)) {
    throw wrong(
      `"${relyingParty.slice(0, 90)}" and "${origin.slice(0, 120)}" are no host and no origin such as "https://host"`,
    );
  }
  if (host !== relyingParty && !host.endsWith(`.${relyingParty}`)) {
    throw wrong(`the origin ${origin} is not below the relying party ${relyingParty}`);
  }
  if (scheme === 'http' && host !== 'localhost') throw wrong(`the origin ${origin} is not protected: https is needed`);
  return { relyingParty, origin };
}

function walletOf(fields: CanonicalObject): Extract<ApproverKey, { kind: 'eip712' }>['address'] {
  const text = fieldOf(fields, 'address');
  const address = parseAddress(text);
  if (address !== text || /^0x0+$/u.test(text)) throw wrong(`"${text}" is no address of a wallet in lower case`);
  return address;
}

/**
 * Encodings of the points of small order of edwards25519, the sign bit left out: under such a key, anybody's signature verifies.
 */
const smallOrder: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]);

/** @throws CustodyError `signer/registry-list` for what is no Ed25519 public key, or one under which anybody could sign */
export function edwardsKeyOf(point: string): string {
  if (!isHex(point, 32)) throw wrong('an Ed25519 public key is hex of 32 bytes');
  const last = (Number.parseInt(point.slice(-2), 16) & 0x7f).toString(16).padStart(2, '0');
  if (smallOrder.has(point.slice(0, -2) + last)) {
    throw wrong('the Ed25519 public key is a point of small order: anybody could sign');
  }
  return point;
}

function wrong(fact: string): CustodyError {
  return new CustodyError('signer/registry-list', fact);
}
