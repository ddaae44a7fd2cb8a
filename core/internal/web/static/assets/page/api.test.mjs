import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { asProblem, call, callWithClock, parse, Problem, problemFrom } from './api.js';

const realFetch = globalThis.fetch;
afterEach(() => { globalThis.fetch = realFetch; });

/** Answers the next request, and returns what was asked. */
function answer(status, body, headers = {}) {
  const asked = {};
  globalThis.fetch = async (path, request) => {
    Object.assign(asked, request, { path });
    return new Response(body, { status, headers });
  };
  return asked;
}

test('the sentence, hint and reference of an error come through', () => {
  const problem = problemFrom(410, { error: 'This code has expired. Show a new one.', code: 'expired', reference: '7K3QF', hint: 'Try.' });
  assert.ok(problem instanceof Problem);
  assert.equal(problem.message, 'This code has expired. Show a new one.');
  assert.deepEqual([problem.code, problem.hint, problem.reference, problem.status], ['expired', 'Try.', '7K3QF', 410]);
});

test('what is no error of ours gets plain words', () => {
  for (const body of [null, undefined, 'oops', 7, {}, { error: 5 }, { error: '' }]) {
    const problem = problemFrom(502, body);
    assert.equal(problem.message, 'Something went wrong');
    assert.equal(problem.status, 502);
  }
  assert.equal(asProblem(new TypeError('x is undefined')).message, 'Something went wrong');
  const known = problemFrom(404, null);
  assert.equal(asProblem(known), known);
});

test('a request is JSON, uncached and of this site only', async () => {
  const asked = answer(200, '{"id":"x"}');
  assert.deepEqual(await call('POST', '/api/pairings', { target: 'a' }), { id: 'x' });
  assert.equal(asked.path, '/api/pairings');
  assert.equal(asked.method, 'POST');
  assert.equal(asked.body, '{"target":"a"}');
  assert.equal(asked.headers['Content-Type'], 'application/json');
  assert.equal(asked.credentials, 'same-origin');
  assert.equal(asked.redirect, 'error');
  assert.equal(asked.cache, 'no-store');
  assert.equal(asked.keepalive, false);
});

test('no body, no answer', async () => {
  globalThis.fetch = async (_, request) => {
    assert.equal('body' in request, false);
    assert.equal(request.keepalive, true);
    return new Response(null, { status: 204 });
  };
  assert.equal(await call('DELETE', '/x', undefined, { keepalive: true }), null);
});

test('an unreachable gateway, a refusal and an answer that is no JSON', async () => {
  globalThis.fetch = async () => { throw new TypeError('Failed to fetch'); };
  await assert.rejects(call('GET', '/x'), (p) => p.code === 'offline' && p.status === 0 && p.hint !== '');
  answer(403, '{"error":"This device can\'t do that.","code":"forbidden","reference":"AAAAA"}');
  await assert.rejects(call('GET', '/x'), (p) => p.code === 'forbidden' && p.reference === 'AAAAA');
  answer(500, '<html>');
  await assert.rejects(call('GET', '/x'), (p) => p.code === 'internal' && p.message === 'Something went wrong');
  answer(200, 'not json');
  assert.equal(await call('GET', '/x'), null);
  assert.equal(parse('{'), null);
});

test('how far the other clock is ahead', async () => {
  answer(200, '{}', { Date: new Date(Date.now() + 3_600_000).toUTCString() });
  const { ahead } = await callWithClock('GET', '/x');
  assert.ok(Math.abs(ahead - 3_600_000) < 60_000, String(ahead));
  answer(200, '{}');
  assert.equal((await callWithClock('GET', '/x')).ahead, 0);
});
