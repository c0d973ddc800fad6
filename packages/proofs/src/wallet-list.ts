import { type Address, parseAddress } from '@bulkhead/domain';
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { exactly, type FieldReader, joined, malformed, unsignedBytes, wordBytes } from './fixed-width.ts';

/** One place on the chain that reserves lie in, and what shows whose it is and that the custodian controls it. */
export type Wallet = {
  readonly address: Address;
  /** SHA-256 of the statement that certifies the address (spec/statement.md), 32 bytes; undefined where there is none. */
  readonly certificate: Uint8Array | undefined;
} & WalletControl;

/** How a wallet is controlled. */
export type WalletControl =
  /** By one key: its signature over `WalletControl` of this epoch, 65 bytes; undefined where it did not sign. */
  | { readonly sort: 'key'; readonly signature: Uint8Array | undefined }
  /** A vault, by the configuration that its address follows from: 256 bytes, the eight words of spec/vault.md. */
  | { readonly sort: 'vault'; readonly config: Uint8Array }
  /** A forwarder, which pays a vault of the same compartment and nobody else; the salt has 32 bytes. */
  | { readonly sort: 'forwarder'; readonly vault: Address; readonly salt: Uint8Array };

/** What one compartment's reserves lie in, strictly ascending by address. */
export type CompartmentWallets = { readonly compartment: number; readonly wallets: readonly Wallet[] };

export const walletSignatureBytes = 65;
export const vaultConfigBytes: number = 8 * wordBytes;

const addressBytes = 20;
const sortNumber: Readonly<Record<Wallet['sort'], number>> = { key: 1, vault: 2, forwarder: 3 };
const nothing = new Uint8Array();

/** @throws CustodyError `proof/malformed` */
export function encodeCompartmentWallets({ compartment, wallets }: CompartmentWallets): Uint8Array {
  wallets.forEach(({ address }, at) => {
    const before = wallets[at - 1]?.address;
    if (before !== undefined && before >= address) {
      throw malformed(`wallet ${address} of compartment ${compartment} does not come after ${before}`);
    }
  });
  return joined([unsignedBytes(compartment, 4), unsignedBytes(wallets.length, 4), ...wallets.map(encodeWallet)]);
}

function encodeWallet(wallet: Wallet): Uint8Array {
  const { sort, address, certificate } = wallet;
  return concatBytes(
    unsignedBytes(sortNumber[sort], 1),
    bytesOfAddress(address),
    optional(certificate, wordBytes, 'a digest'),
    controlBytes(wallet),
  );
}

function controlBytes(wallet: WalletControl): Uint8Array {
  switch (wallet.sort) {
    case 'key':
      return optional(wallet.signature, walletSignatureBytes, 'a signature');
    case 'vault':
      return exactly(wallet.config, vaultConfigBytes, 'a configuration');
    case 'forwarder':
      return concatBytes(bytesOfAddress(wallet.vault), exactly(wallet.salt, wordBytes, 'a salt'));
  }
}

/** A length of zero where there is nothing. */
function optional(bytes: Uint8Array | undefined, length: number, name: string): Uint8Array {
  const content = bytes === undefined ? nothing : exactly(bytes, length, name);
  return concatBytes(Uint8Array.of(content.length), content);
}

/** Reads the wallets of one compartment; undefined for anything but what {@link encodeCompartmentWallets} writes. */
export function readCompartmentWallets(fields: FieldReader): CompartmentWallets | undefined {
  const compartment = fields.number(4);
  const count = fields.number(4);
  if (compartment === undefined || count === undefined) return undefined;
  const wallets: Wallet[] = [];
  // A count that is too high ends with the bytes, and takes no memory before.
  for (let at = 0; at < count; at += 1) {
    const wallet = readWallet(fields);
    const before = wallets.at(-1);
    if (wallet === undefined || (before !== undefined && before.address >= wallet.address)) return undefined;
    wallets.push(wallet);
  }
  return { compartment, wallets };
}

function readWallet(fields: FieldReader): Wallet | undefined {
  const sort = fields.number(1);
  const address = readAddress(fields);
  const certificate = readOptional(fields, wordBytes);
  if (address === undefined || certificate === undefined) return undefined;
  const control = readControl(fields, sort);
  return control === undefined ? undefined : { address, certificate: filled(certificate), ...control };
}

function readControl(fields: FieldReader, sort: number | undefined): WalletControl | undefined {
  if (sort === sortNumber.key) {
    const signature = readOptional(fields, walletSignatureBytes);
    return signature === undefined ? undefined : { sort: 'key', signature: filled(signature) };
  }
  if (sort === sortNumber.vault) {
    const config = fields.bytes(vaultConfigBytes);
    return config === undefined ? undefined : { sort: 'vault', config };
  }
  if (sort !== sortNumber.forwarder) return undefined;
  const vault = readAddress(fields);
  const salt = fields.bytes(wordBytes);
  return vault === undefined || salt === undefined ? undefined : { sort: 'forwarder', vault, salt };
}

/** Nothing, or so many bytes; undefined for another length. */
function readOptional(fields: FieldReader, length: number): Uint8Array | undefined {
  const said = fields.number(1);
  return said === 0 || said === length ? fields.bytes(said) : undefined;
}

function filled(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.length === 0 ? undefined : bytes;
}

function readAddress(fields: FieldReader): Address | undefined {
  const bytes = fields.bytes(addressBytes);
  return bytes === undefined ? undefined : parseAddress(`0x${bytesToHex(bytes)}`);
}

function bytesOfAddress(address: Address): Uint8Array {
  return hexToBytes(address.slice(2));
}
