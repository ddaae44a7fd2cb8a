import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grouped, platform } from './platform.js';

test('every browser gets the steps of its system', () => {
  for (const [userAgent, maxTouchPoints, want] of [
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)', 5, 'apple'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)', 5, 'apple'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)', 0, 'mac'],
    ['Mozilla/5.0 (Linux; Android 10; K) Mobile', 5, 'android'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64)', 0, 'windows'],
    ['Mozilla/5.0 (X11; Linux x86_64)', 0, 'other'],
    ['', 0, 'other'],
  ]) {
    assert.equal(platform({ userAgent, maxTouchPoints }), want, userAgent);
  }
  assert.equal(platform(), 'other');
});

test('a fingerprint is shown in groups', () => {
  assert.equal(grouped('AA:BB:CC:DD:EE:FF'), 'AA:BB:CC:DD EE:FF');
  assert.equal(grouped('AA:BB:CC:DD:EE:FF:00:11:22'), 'AA:BB:CC:DD EE:FF:00:11 22');
  assert.equal(grouped('AABBCC'), 'AABBCC');
  assert.equal(grouped(''), '');
});
