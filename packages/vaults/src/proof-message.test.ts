import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { chainNumber, isProof, isReserveMatter, parseIntent, type ReserveIntent } from '@bulkhead/domain';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { hashTypedData } from 'viem';
import {
  contextOfHeader,
  proofRegistryDomain,
  reserveCommitmentForm,
  reserveIntentDigest,
  reserveIntentPreimage,
  walletControlForm,
  walletControlPreimage,
  walletDomain,
} from './proof-message.ts';
import { typedData } from './typed-data.ts';
import { hexOf } from './word.ts';

const hashes = { keccak256: keccak_256 };
type Vectors = { readonly vectors: readonly { readonly canonical: string }[] };
type Reserves = { readonly plain: { readonly header: string; readonly context: string } };

function textOf(name: string): string {
  return readFileSync(new URL(`../../../spec/vectors/${name}`, import.meta.url), 'utf8');
}

const { vectors }: Vectors = JSON.parse(textOf('intent.json'));
const { plain }: Reserves = JSON.parse(textOf('reserves.json'));
const intents = vectors.map(({ canonical }) => parseIntent(Buffer.from(canonical))).filter(isProof);

const word = (digits: string): `0x${string}` => `0x${digits}`;
type Field = { readonly name: string; readonly type: string };
const bytes32 = (name: string): Field => ({ name, type: 'bytes32' });

/** What the contract checks, written down a second time: by its source, for another implementation of EIP-712. */
function typedOf(intent: ReserveIntent): { name: string; fields: readonly Field[]; message: object } {
  switch (intent.kind) {
    case 'reserve-commitment':
      return {
        name: 'ReserveCommitment',
        fields: [bytes32('context'), bytes32('record'), { name: 'reserves', type: 'uint128' }],
        message: { context: word(plain.context), record: word(intent.record), reserves: intent.reserves },
      };
    case 'reserve-proof':
      return {
        name: 'ReserveProof',
        fields: [bytes32('context'), bytes32('proof')],
        message: { context: word(intent.context), proof: word(intent.proof) },
      };
    case 'balance-statements':
      return {
        name: 'BalanceStatements',
        fields: [bytes32('context'), bytes32('root'), { name: 'count', type: 'uint64' }],
        message: { context: word(intent.context), root: word(intent.root), count: intent.count },
      };
  }
}

test('what a quorum signs about reserves is what the registry checks, by another implementation', () => {
  const told = intents.filter(isReserveMatter);
  assert.equal(told.length, 3);
  for (const intent of told) {
    const { name, fields, message } = typedOf(intent);
    const { chain, registry } = intent;
    const domain = {
      name: 'Bulkhead Proof Registry',
      version: '1',
      chainId: chainNumber(chain),
      verifyingContract: registry,
    };
    const digest = hashTypedData({ domain, types: { [name]: fields }, primaryType: name, message: { ...message } });
    assert.equal(hexOf(reserveIntentDigest(hashes, intent)), digest, intent.kind);
    assert.equal(hexOf(keccak_256(reserveIntentPreimage(hashes, intent))), digest);
  }
});

test('the context of a header is the one that proofs are made with', () => {
  assert.equal(contextOfHeader(hashes, plain.header), plain.context);
  assert.notEqual(contextOfHeader(hashes, `${plain.header}00`), plain.context);
});

test('what a wallet signs about itself names a chain and no contract', () => {
  const [control] = intents.filter((intent) => intent.kind === 'wallet-control');
  assert.ok(control?.kind === 'wallet-control');
  const { chain, wallet, custodian, context } = control;
  const primaryType: string = 'WalletControl';
  const fields: readonly Field[] = [bytes32('custodian'), bytes32('context'), { name: 'wallet', type: 'address' }];
  const digest = hashTypedData({
    domain: { name: 'Bulkhead Wallet', version: '1', chainId: chainNumber(chain) },
    types: { [primaryType]: fields },
    primaryType,
    message: { custodian: word(custodian), context: word(context), wallet },
  });
  assert.equal(hexOf(keccak_256(walletControlPreimage(hashes, control))), digest);
  const message = { custodian: word(custodian), context: word(context), wallet };
  const shown = typedData(walletDomain(chain), { form: walletControlForm, message });
  assert.deepEqual(shown.domain, { name: 'Bulkhead Wallet', version: '1', chainId: '1' });
  assert.deepEqual(
    shown.types['EIP712Domain']?.map(({ name }) => name),
    ['name', 'version', 'chainId'],
  );
});

test('a commitment is shown with the registry that checks it', () => {
  const [intent] = intents.filter((one) => one.kind === 'reserve-commitment');
  assert.ok(intent?.kind === 'reserve-commitment');
  const { chain, registry, record, reserves } = intent;
  const message = { context: word(plain.context), record: word(record), reserves };
  const shown = typedData(proofRegistryDomain(chain, registry), { form: reserveCommitmentForm, message });
  assert.equal(shown.domain['verifyingContract'], registry);
  assert.equal(shown.domain['chainId'], '1');
  assert.equal(shown.message['reserves'], String(reserves));
});
