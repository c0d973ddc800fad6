import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { encodeAbiParameters, getContractAddress, keccak256 } from 'viem';
import { addressOf, exampleTerms, wordOfByte } from './testing/example.ts';
import {
  buildAddresses,
  cloneCode,
  forwarderAddress,
  forwarderSalt,
  signerSetCreationCode,
  standardDeployment,
  standardFactory,
  sweepDelegateCreationCode,
  vaultAddress,
} from './vault-address.ts';
import { configHash } from './vault-config.ts';
import { hexOf } from './word.ts';

const hashes = { keccak256: keccak_256 };
const { config } = exampleTerms(hashes);
const system = {
  factory: addressOf(0xfa),
  vaultImplementation: addressOf(0x1a),
  forwarderImplementation: addressOf(0x1b),
};
const zeroSalt = wordOfByte(0);

/** The first bytes of creation code that copies the given number of bytes behind it into place. */
const creation = '60318060095f395ff3';

function expected(from: `0x${string}`, salt: `0x${string}`, bytecode: `0x${string}`): string {
  return getContractAddress({ opcode: 'CREATE2', from, salt, bytecode }).toLowerCase();
}

test('a vault is where CREATE2 puts its clone, and another configuration is elsewhere', () => {
  const hash = configHash(hashes, config);
  const code = hexOf(cloneCode(system.vaultImplementation));
  assert.equal(vaultAddress(hashes, system, config), expected(system.factory, hash, `0x${creation}${code.slice(2)}`));
  const other = { ...config, exitDelay: config.exitDelay + 1n };
  assert.notEqual(vaultAddress(hashes, system, other), vaultAddress(hashes, system, config));
});

test('a forwarder is bound to its vault by its address', () => {
  const vault = addressOf(0x77);
  const code = hexOf(cloneCode(system.forwarderImplementation));
  const salt = forwarderSalt(7n);
  const address = forwarderAddress(hashes, system, { vault, salt });
  const bound = keccak256(encodeAbiParameters([{ type: 'address' }, { type: 'bytes32' }], [vault, salt]));
  assert.equal(address, expected(system.factory, bound, `0x${creation}${code.slice(2)}`));
  assert.notEqual(forwarderAddress(hashes, system, { vault: addressOf(0x78), salt }), address);
});

test('a build is deployed by the standard factory, and makes its implementations itself', () => {
  const { factory, vaultImplementation, forwarderImplementation } = buildAddresses(hashes, Uint8Array.of(3));
  assert.equal(factory, expected(standardFactory, zeroSalt, '0x03'));
  assert.equal(forwarderImplementation, getContractAddress({ from: factory, nonce: 1n }).toLowerCase());
  assert.equal(vaultImplementation, getContractAddress({ from: factory, nonce: 2n }).toLowerCase());
  assert.equal(standardDeployment(Uint8Array.of(1)), `${zeroSalt}01`);
});

test('a signer set is where its members, threshold and delay put it', () => {
  const terms = { members: [addressOf(1), addressOf(2), addressOf(3)], threshold: 2n, changeDelay: 60n };
  const parameters = encodeAbiParameters(
    [{ type: 'address[]' }, { type: 'uint8' }, { type: 'uint32' }],
    [terms.members, 2, 60],
  );
  assert.equal(hexOf(signerSetCreationCode(Uint8Array.of(9), terms)), `0x09${parameters.slice(2)}`);
  const code = sweepDelegateCreationCode(Uint8Array.of(8), addressOf(5));
  assert.equal(hexOf(code), `0x08${'0'.repeat(24)}${'05'.repeat(20)}`);
});
