import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem, unreachable } from '../page/api.js';
import * as joining from './joining.js';

const begun = joining.begun({ id: 'j' });
const wrong = "That's not the number on the screen.";
const pin = joining.polled(begun, { state: 'pin_needed', device: { name: 'NAS' } }, 0);

test('from a link to the number', () => {
  assert.equal(joining.watching(joining.start), false);
  assert.deepEqual(begun, { view: 'connecting', id: 'j', turn: 0, gateway: null, problem: null });
  assert.equal(joining.polled(begun, { state: 'connecting' }, 0).view, 'connecting');
  assert.deepEqual([pin.view, pin.gateway], ['pin', 'NAS']);
});

test('a wrong number can be typed again', () => {
  const proving = joining.accepted(joining.entered(pin));
  assert.equal(proving.view, 'proving');
  const again = joining.polled(proving, { state: 'pin_needed', error: wrong, code: 'forbidden' }, proving.turn);
  assert.deepEqual([again.view, again.problem.message, again.gateway], ['pin', wrong, 'NAS']);
  assert.equal(joining.polled(again, { state: 'pin_needed' }, again.turn), again, 'the words stay until another number comes');
  assert.equal(joining.entered(again).problem, null);
});

test('an answer from before the number was given changes nothing', () => {
  const sending = joining.entered(pin);
  assert.equal(joining.polled(sending, { state: 'pin_needed' }, pin.turn), sending);
  assert.equal(joining.polled(sending, { state: 'pin_needed' }, sending.turn), sending);
  const proving = joining.accepted(sending);
  assert.equal(joining.polled(proving, { state: 'pin_needed' }, sending.turn), proving);
  assert.equal(joining.accepted(pin), pin);
});

test('the endings', () => {
  const proving = joining.accepted(joining.entered(pin));
  const paired = joining.polled(proving, { state: 'paired', device: { name: 'NAS in the attic' } }, proving.turn);
  assert.deepEqual([paired.view, paired.gateway], ['paired', 'NAS in the attic']);
  const failed = joining.polled(proving, { state: 'failed', error: 'For your safety, start again.' }, proving.turn);
  assert.deepEqual([failed.view, failed.problem.message], ['failed', 'For your safety, start again.']);
  for (const over of [paired, failed]) assert.equal(joining.watching(over), false);
  assert.equal(joining.missed(pin, new Problem({ error: 'Gone.', code: 'not_found' })).view, 'failed');
  assert.equal(joining.missed(pin, unreachable()), pin);
});

test('what the gateway refuses can be mended', () => {
  const problem = new Problem({ error: "That's not a link or an address of a device.", code: 'invalid' });
  assert.deepEqual(joining.refused(problem), { view: 'asking', problem });
  assert.deepEqual(joining.rejected(joining.entered(pin), problem).view, 'pin');
  assert.equal(joining.polled(begun, { state: 'thinking' }, 0), begun);
});
