import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  checkpointText,
  commitmentOf,
  encodeLeaf,
  formatSignedNote,
  formatVerifierKey,
  leafHash,
  receiptJson,
  verifierKey,
} from '@bulkhead/tlog';
import { utf8ToBytes } from '@noble/hashes/utils.js';

/** A statement of a signer as the API gives it, by its kind: those of the specification's vectors. */
export function certificateOf(kind: string): { readonly text: string; readonly identity: string } {
  const { identity, vectors } = JSON.parse(
    readFileSync(new URL('../../../spec/vectors/statement.json', import.meta.url), 'utf8'),
  );
  const list: readonly { readonly kind: string; readonly text: string; readonly signature: string }[] = vectors;
  const found = list.find((vector) => vector.kind === kind) ?? assert.fail();
  const certificate = { statement: found.text, identity, signature: found.signature };
  return { text: JSON.stringify({ certificate }), identity };
}

/** A log of one leaf, whose key is made here: its checkpoint, the receipt of the leaf, and the key to pin. */
export function logOfOneLeaf(): { readonly key: string; readonly checkpoint: string; readonly receipt: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
  const key = verifierKey('log.example/bulkhead', 'ed25519', raw);
  const opening = { salt: new Uint8Array(32).fill(7), content: '{"event": "withdrawal-requested"}' };
  const commitment = commitmentOf(opening);
  const leaf = encodeLeaf({ kind: 'withdrawal-step', id: 'wd_1', timeMs: 1_790_000_000_000, commitment });
  const text = checkpointText({ origin: key.name, size: 1, root: leafHash(leaf) });
  const bytes = Uint8Array.from(sign(null, utf8ToBytes(text), privateKey));
  const checkpoint = formatSignedNote({ text, signatures: [{ name: key.name, keyId: key.id, bytes }] });
  const receipt = receiptJson({ index: 0, leaf, opening, path: [], checkpoint });
  return { key: formatVerifierKey(key), checkpoint, receipt: JSON.stringify(receipt) };
}
