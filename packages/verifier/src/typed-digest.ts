import { keccak_256 } from '@noble/hashes/sha3.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { wordBytes } from './bytes.ts';

/**
 * Digests (EIP-712) of what members of a quorum and keys of wallets sign about a proof: spec/reserves.md and spec/proof-files.md. Three
 * forms of fixed words, so that a page needs nothing that encodes any others.
 */
const hashOf = (text: string): Uint8Array => keccak_256(utf8ToBytes(text));

type OnRegistry = { readonly chain: bigint; readonly registry: Uint8Array };

function registryDomain({ chain, registry }: OnRegistry): Uint8Array {
  const form = 'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)';
  const name = hashOf('Bulkhead Proof Registry');
  return keccak_256(concatBytes(hashOf(form), name, hashOf('1'), wordBytes(chain), addressWord(registry)));
}

function digest(domain: Uint8Array, form: string, words: readonly Uint8Array[]): Uint8Array {
  return keccak_256(concatBytes(Uint8Array.of(0x19, 0x01), domain, keccak_256(concatBytes(hashOf(form), ...words))));
}

/** What a quorum signs of the tree of balance statements. */
export function statementsDigest(
  where: OnRegistry,
  of: { readonly context: Uint8Array; readonly root: Uint8Array; readonly count: number },
): Uint8Array {
  const form = 'BalanceStatements(bytes32 context,bytes32 root,uint64 count)';
  return digest(registryDomain(where), form, [of.context, of.root, wordBytes(BigInt(of.count))]);
}

/** What the key of a wallet signs. @param of.chain the chain of the asset */
export function controlDigest(of: {
  readonly chain: bigint;
  readonly custodian: Uint8Array;
  readonly context: Uint8Array;
  readonly wallet: Uint8Array;
}): Uint8Array {
  const domainForm = 'EIP712Domain(string name,string version,uint256 chainId)';
  const domain = keccak_256(
    concatBytes(hashOf(domainForm), hashOf('Bulkhead Wallet'), hashOf('1'), wordBytes(of.chain)),
  );
  const form = 'WalletControl(bytes32 custodian,bytes32 context,address wallet)';
  return digest(domain, form, [of.custodian, of.context, addressWord(of.wallet)]);
}

/** An address in a word. */
export function addressWord(address: Uint8Array): Uint8Array {
  return concatBytes(new Uint8Array(12), address);
}
