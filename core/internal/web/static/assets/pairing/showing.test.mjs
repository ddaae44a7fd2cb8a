import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem, unreachable } from '../page/api.js';
import * as showing from './showing.js';

const answer = { code: 'c', linking_code: 's', link: 'https://x/join#v1', qr_url: 'https://x/join#v1', expires_at: '2026-03-10T12:05:00Z' };
const open = showing.opened(answer, 7);
const claimed = showing.polled(open, { state: 'claimed', pin: '481920', device: { name: 'iPhone', kind: 'browser' } });

test('an open window shows its code', () => {
  assert.deepEqual(open, { view: 'open', code: 'c', link: answer.link, expires: answer.expires_at, ahead: 7, misses: 0 });
  assert.equal(showing.watching(open), true);
  assert.equal(showing.watching(showing.start), false);
  assert.deepEqual(showing.polled(open, { state: 'open' }), open);
});

test('a claim replaces code and link by the number', () => {
  assert.deepEqual(claimed, { view: 'claimed', code: 'c', pin: '481920', device: 'iPhone', misses: 0 });
  assert.equal(JSON.stringify(claimed).includes('join#'), false);
});

test('the endings', () => {
  const paired = showing.polled(claimed, { state: 'paired', device: { name: 'iPhone' } });
  assert.deepEqual(paired, { view: 'paired', device: 'iPhone' });
  assert.equal(showing.polled(open, { state: 'paired' }).device, 'A device');
  const expired = showing.polled(open, { state: 'expired' });
  assert.equal(expired.view, 'ended');
  assert.equal(expired.problem.message, 'This code has expired. Show a new one.');
  const safety = showing.polled(claimed, { state: 'failed', error: 'For your safety, start again.' });
  assert.equal(safety.problem.message, 'For your safety, start again.');
  for (const state of [paired, expired, safety, showing.cancelled()]) {
    assert.equal(showing.watching(state), false);
    assert.equal(showing.polled(state, { state: 'claimed', pin: '1' }), state, 'what is over stays over');
    assert.equal('pin' in state, false);
  }
});

test('a state of a later version changes nothing', () => {
  assert.equal(showing.polled(open, { state: 'thinking' }), open);
});

test('a gateway that does not answer is said after a while, and forgiven', () => {
  let state = claimed;
  for (const lost of [false, false, true]) {
    state = showing.missed(state, unreachable());
    assert.equal(showing.lost(state), lost);
    assert.equal(state.pin, '481920');
  }
  state = showing.polled(state, { state: 'claimed', pin: '481920', device: { name: 'iPhone' } });
  assert.equal(showing.lost(state), false);
  assert.equal(showing.missed(showing.start, unreachable()), showing.start);
});

test('a window that the gateway has forgotten is over', () => {
  const state = showing.missed(open, new Problem({ error: 'That is gone.', code: 'not_found' }));
  assert.equal(state.problem.message, 'This code has expired. Show a new one.');
});

test('a window that was never opened', () => {
  const problem = new Problem({ error: 'Too many codes.', code: 'rate_limited' });
  assert.deepEqual(showing.refused(problem), { view: 'ended', problem });
});
