import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem, unreachable } from '../page/api.js';
import * as claiming from './claiming.js';

const link = { code: 'c', linkingCode: 's' };
const naming = claiming.opened(link);
const asking = claiming.named(naming, 'iPhone');
const pin = claiming.claimed(asking, { gateway: { name: 'Study Desktop' } });
const verifying = claiming.entered(pin);
const problem = (code) => new Problem({ error: 'No.', code });

test('the way in', () => {
  assert.deepEqual(claiming.opened(null), { view: 'nolink' });
  assert.equal(naming.view, 'naming');
  assert.deepEqual([asking.view, asking.name], ['claiming', 'iPhone']);
  assert.deepEqual([pin.view, pin.gateway], ['pin', 'Study Desktop']);
  assert.equal(verifying.view, 'verifying');
  assert.deepEqual(claiming.verified(verifying), { view: 'done', gateway: 'Study Desktop' });
  assert.equal(claiming.claimed(asking, {}).gateway, 'the other device');
});

test('what can be tried again and what cannot', () => {
  for (const [state, code, view] of [
    [asking, 'offline', 'naming'],
    [asking, 'conflict', 'naming'],
    [asking, 'rate_limited', 'naming'],
    [asking, 'expired', 'ended'],
    [asking, 'not_found', 'ended'],
    [verifying, 'forbidden', 'pin'],
    [verifying, 'invalid', 'pin'],
    [verifying, 'rate_limited', 'pin'],
    [verifying, 'offline', 'pin'],
    [verifying, 'internal', 'pin'],
    [verifying, 'expired', 'ended'],
    [verifying, 'not_found', 'ended'],
    [verifying, 'conflict', 'ended'],
    [pin, 'offline', 'pin'],
  ]) {
    const next = claiming.failed(state, problem(code));
    assert.equal(next.view, view, `${state.view}, ${code}`);
    assert.equal(next.problem.code, code);
  }
  assert.equal(claiming.failed(verifying, unreachable()).gateway, 'Study Desktop');
  assert.equal(claiming.entered(claiming.failed(verifying, problem('forbidden'))).problem, null);
});

test('a reload goes on where it was, and nothing is kept at the end', () => {
  assert.deepEqual(claiming.resumed(claiming.kept(naming)), naming);
  assert.deepEqual(claiming.resumed(claiming.kept(asking)), naming, 'whether the claim arrived is not known');
  for (const state of [pin, verifying]) {
    assert.deepEqual(claiming.resumed(claiming.kept(state)), pin);
  }
  assert.equal(claiming.kept(claiming.verified(verifying)), null);
  assert.equal(claiming.kept(claiming.failed(verifying, problem('expired'))), null);
  assert.equal(claiming.kept(claiming.opened(null)), null);
  for (const strange of [null, undefined, {}, { link: {} }, { link: { code: 'c' } }, 'text']) {
    assert.equal(claiming.resumed(strange), null);
  }
});
