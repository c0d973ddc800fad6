import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

/** Where an attack is tried: the file, below packages, and the beginning of the name of the test. */
type Tried = readonly (readonly [file: string, name: string])[];

const plain = 'proofs/src/plain-proof.test.ts';
const confidential = 'proofs/src/confidential-proof.test.ts';
const ranges = 'proofs/src/range-proof.test.ts';
const files = 'proofs/src/proof-files.test.ts';
const claim = 'verifier/test/claim-check.test.ts';
const whole = 'verifier/test/whole-proof.test.ts';
const log = 'verifier/test/log-check.test.ts';
const vectors = 'verifier/test/vectors.test.ts';

/** Attacks on proofs of reserves that are known from other systems, and what must fail here. */
const attacks: Readonly<Record<string, Tried>> = {
  '1 a node with the larger of two sums (Maxwell)': [[plain, 'pitfall 1:']],
  '2 one leaf for two clients': [
    [plain, 'pitfall 2:'],
    [confidential, 'pitfall 2:'],
    [files, 'a statement of another claim, epoch or tree'],
  ],
  '3 weak or cut hashes, other inputs': [
    ['proofs/src/reserves-vectors.test.ts', 'the epoch of the vectors comes out byte for byte'],
    [files, 'every file of the vectors comes out byte for byte'],
    [vectors, 'what keys and quorums sign has the digests of another implementation'],
  ],
  '4 leaves without salt': [[plain, 'pitfall 4:']],
  '5 negative or wrapped balances': [
    [plain, 'pitfalls 5 and 6:'],
    [confidential, 'pitfall 5:'],
    [confidential, 'pitfalls 5 and 6:'],
    [ranges, 'a proof over other bits than those of the commitment'],
  ],
  '6 sums without a bound': [[plain, 'pitfalls 5 and 6:']],
  '7 a node shown as a leaf; a path that is shorter or longer': [[plain, 'pitfall 7:']],
  '8 an odd node that is doubled': [[plain, 'pitfall 8:']],
  '9 sorted pairs': [[plain, 'pitfall 9:']],
  '10 a surplus that hides a hole elsewhere': [
    [plain, 'pitfall 10:'],
    [confidential, 'pitfall 10:'],
    [claim, 'an epoch in which a compartment owes more than it holds'],
  ],
  '11 other roots for other clients': [
    [plain, 'pitfalls 11 and 13:'],
    [claim, 'a claim that is counted holds'],
  ],
  '12 borrowed reserves': [
    [whole, 'wallets that hold less than is said'],
    [whole, 'vaults whose signers were not heard of since'],
    [whole, 'files that are not those of the manifest'],
  ],
  '13 coins that another custodian shows as well': [
    [plain, 'pitfalls 11 and 13:'],
    [vectors, 'what keys and quorums sign'],
    [whole, 'files that are not those of the manifest'],
  ],
  '14 nobody checks, or a failed check is talked away': [[plain, 'pitfall 14 and 15:']],
  '15 a client that cannot show that it was lied to': [[whole, 'statements that no quorum signed']],
  '16 leaves of nobody that are not empty': [
    [plain, 'pitfall 16:'],
    [confidential, 'pitfall 5:'],
    [files, 'a leaf of nobody with a negative balance'],
  ],
  '17 clients followed over epochs': [
    [plain, 'two runs give the same bytes'],
    [confidential, 'two runs give the same bytes'],
    [confidential, 'another balance under the same context has another blinding'],
  ],
  '18 parameters out of the proof': [
    [plain, 'pitfall 18:'],
    [confidential, 'pitfall 18:'],
    [whole, 'balances of a token are proven where the reader says'],
  ],
  'another epoch, asset, tier, chain or registry': [
    [plain, 'pitfalls 11 and 13:'],
    [confidential, 'pitfalls 11 and 13:'],
    [whole, 'wallets that hold less than is said'],
  ],
  'the identity, and points and scalars in a second form': [
    [ranges, 'scalars at or beyond the order'],
    [confidential, 'an identity as total'],
    [confidential, 'a row whose total is the identity'],
  ],
  'leaves that are exchanged or come twice': [
    [confidential, 'groups of proofs in another order'],
    [ranges, 'another order of commitments'],
    [plain, 'published rows that come twice'],
    [files, 'wallets that come twice'],
  ],
  'an empty list of proofs': [
    [confidential, 'pitfall 18:'],
    [whole, 'a node that lies about balances'],
    [vectors, 'a quorum is exactly the threshold'],
  ],
  'a registry whose chain gave its history up': [[whole, 'a history that the registry’s chain gave up']],
  'a node that lies about a proof of the state': [
    [claim, 'a node that lies about the state'],
    [whole, 'a node that lies about balances'],
    ['verifier/test/state-proof.test.ts', 'ten thousand tampered proofs'],
  ],
  'a log that shows two readers two histories': [
    [log, 'a log that shows two readers two trees'],
    ['tlog/src/tampering.test.ts', 'a fork is not consistent'],
  ],
  'a checkpoint by another or a rotated key': [
    [log, 'a checkpoint by another or a rotated key'],
    ['tlog/src/tampering.test.ts', 'a checkpoint by another key'],
  ],
  'random changes of every artefact': [
    [plain, 'of 10,000 tampered copies of packages and rows'],
    ['proofs/src/confidential-tamper.test.ts', 'of 10,000 tampered copies of a package'],
    ['proofs/src/confidential-tamper.test.ts', 'of 200 tampered copies of a summary and of leaves'],
    [files, 'of 10,000 tampered copies of a statement and of a proof of segregation'],
    [files, 'of 10,000 tampered copies of the lists'],
    ['tlog/src/tampering.test.ts', 'none of the random tampered copies of a witnessed checkpoint'],
    ['tlog/src/tampering.test.ts', 'a receipt shows its fact, and none of its random tampered copies'],
  ],
};

test('every known attack is tried somewhere, under the name that stands here', () => {
  const texts = new Map<string, string>();
  for (const [attack, tried] of Object.entries(attacks)) {
    assert.ok(tried.length > 0, attack);
    for (const [file, name] of tried) {
      const text = texts.get(file) ?? readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
      texts.set(file, text);
      assert.ok(text.includes(`test('${name}`), `${attack}: ${file} has no test "${name}"`);
    }
  }
});
