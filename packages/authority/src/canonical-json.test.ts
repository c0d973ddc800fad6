import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalDepthMax, canonicalJson, type CanonicalValue, parseCanonicalJson } from './canonical-json.ts';

const { value } = fc.letrec<{ value: CanonicalValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'json' },
    fc.string({ unit: 'grapheme' }),
    fc.array(tie('value'), { maxLength: 3, depthIdentifier: 'json' }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__proto__', '10', '9', 'constructor')), tie('value'), {
      maxKeys: 4,
      depthIdentifier: 'json',
    }),
  ),
}));

test('whatever is written is read back, and written again the same', () => {
  fc.assert(
    fc.property(value, (wanted) => {
      const text = canonicalJson(wanted);
      assert.equal(canonicalJson(parseCanonicalJson(text)), text);
    }),
  );
});

test('keys stand in the order of their code units, also those that JavaScript puts first', () => {
  assert.equal(
    canonicalJson({ b: '2', 10: 'x', 9: 'y', a: ['1'], B: '' }),
    '{"10":"x","9":"y","B":"","a":["1"],"b":"2"}',
  );
  assert.equal(canonicalJson({ é: '"\n' }), '{"é":"\\"\\n"}');
});

test('no other text is read', () => {
  const wrong = {
    'white space': '{"a": "1"}',
    'another order': '{"b":"1","a":"2"}',
    'numbers out of their order as text': '{"9":"y","10":"x"}',
    'a name twice': '{"a":"1","a":"2"}',
    'a name twice, the same': '{"a":"1","a":"1"}',
    'a number': '{"a":1}',
    'a number alone': '1',
    'a boolean': '[true]',
    null: 'null',
    'another escape': '"\\u0061"',
    'an escaped slash': '"\\/"',
    'half a pair': '"\\ud800"',
    'text behind it': '{}x',
    nothing: '',
  };
  for (const [why, text] of Object.entries(wrong)) {
    assert.throws(() => parseCanonicalJson(text), { code: 'signer/protocol' }, why);
  }
  assert.throws(() => canonicalJson('\ud800'), { code: 'signer/protocol' });
  const deep = '['.repeat(canonicalDepthMax + 1) + ']'.repeat(canonicalDepthMax + 1);
  assert.throws(() => parseCanonicalJson(deep), { message: /deeper/u });
  assert.deepEqual(parseCanonicalJson(deep.slice(1, -1)).length, 1);
  assert.throws(() => canonicalJson([[[[[[['x']]]]]]]), { message: /deeper/u });
  const abyss = '['.repeat(20_000) + ']'.repeat(20_000);
  assert.throws(() => parseCanonicalJson(abyss), { code: 'signer/protocol' });
});
