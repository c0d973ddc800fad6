import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Step, stepNames } from '@bulkhead/verifier';
import { type Outcome, stepTitles, verdictOf } from './verdict.ts';

function stepsOf(...results: readonly Step['result'][]): readonly Step[] {
  return results.map((result) => ({ step: 'balance', result, reason: '' }));
}

test('one thing that fails is louder than all that holds, and what was not checked is never called held', () => {
  const wanted: readonly (readonly [readonly Step[], Outcome, RegExp])[] = [
    [stepsOf(), 'nothing-known', /missing stands below/u],
    [stepsOf('unknown', 'unknown'), 'nothing-known', /missing stands below/u],
    [stepsOf('holds'), 'holds', /one thing that there is/u],
    [stepsOf('holds', 'holds'), 'holds', /All 2 things/u],
    [stepsOf('holds', 'unknown'), 'holds-so-far', /1 thing was checked and holds. 1 thing could not/u],
    [
      stepsOf('holds', 'holds', 'unknown', 'unknown'),
      'holds-so-far',
      /2 things were checked and hold. 2 things could/u,
    ],
    [stepsOf('holds', 'holds', 'fails', 'unknown'), 'fails', /1 thing of 4 is not so/u],
    [stepsOf('fails', 'fails'), 'fails', /2 things of 2 are not so/u],
  ];
  for (const [steps, outcome, sentence] of wanted) {
    const verdict = verdictOf({ steps });
    assert.equal(verdict.outcome, outcome);
    assert.match(verdict.sentence, sentence);
  }
});

test('every step has a heading of its own words', () => {
  const titles = stepNames.map((name) => stepTitles[name]);
  assert.ok(titles.every((title) => /^[A-Z].{3,50}$/u.test(title)));
  assert.equal(new Set(titles).size, titles.length);
});
