import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as words from './words.js';

const now = Date.parse('2026-03-10T12:00:00Z');
const before = (seconds) => new Date(now - seconds * 1000).toISOString();

test('times are words', () => {
  for (const [seconds, want] of [
    [-300, 'just now'],
    [0, 'just now'],
    [59, 'just now'],
    [60, '1 minute ago'],
    [59 * 60, '59 minutes ago'],
    [3600, '1 hour ago'],
    [3 * 3600 + 1800, '3 hours ago'],
    [24 * 3600, 'yesterday'],
    [13 * 24 * 3600, '13 days ago'],
    [14 * 24 * 3600, 'on 24 February 2026'],
  ]) {
    assert.equal(words.ago(before(seconds), now), want, `${seconds} s`);
  }
  for (const none of [null, undefined, '', 'soon']) {
    assert.equal(words.ago(none, now), '');
    assert.equal(words.exactly(none), '');
  }
  assert.match(words.exactly(before(0)), /10 March 2026/);
});

test('what remains is counted up to whole minutes', () => {
  const after = (seconds) => new Date(now + seconds * 1000).toISOString();
  assert.equal(words.remaining(after(300), now), 'for 5 more minutes');
  assert.equal(words.remaining(after(302), now), 'for 5 more minutes');
  assert.equal(words.remaining(after(244), now), 'for 5 more minutes');
  assert.equal(words.remaining(after(64), now), 'for 2 more minutes');
  for (const seconds of [63, 60, 1, 0, -100]) assert.equal(words.remaining(after(seconds), now), 'for less than a minute');
  assert.equal(words.remaining('never', now), 'for less than a minute');
});

test('sizes', () => {
  for (const [bytes, want] of [
    [0, '0 bytes'],
    [1, '1 byte'],
    [999, '999 bytes'],
    [1000, '1.0 KB'],
    [9940, '9.9 KB'],
    [9960, '10 KB'],
    [999_600, '1.0 MB'],
    [2_100_000_000, '2.1 GB'],
    [5e15, '5000 TB'],
  ]) {
    assert.equal(words.size(bytes), want, String(bytes));
  }
});

test('states and abilities have the words of the product', () => {
  assert.equal(words.status('available'), 'Available');
  assert.equal(words.status('offline'), 'Offline');
  assert.equal(words.status('needs_repair'), 'Needs re-pairing');
  assert.equal(words.status('whatever'), 'Offline');
  assert.deepEqual(
    words.can(['media.storage', 'media.transcode', 'posts.write', 'always_on']),
    ['Can store media', 'Can process video', 'Can post', 'Always on'],
  );
  assert.deepEqual(words.can(['posts.read', 'posts.write', 'x.y', 'z.q'], { 'z.q': 'Can water plants' }), ['Can post', 'Can water plants']);
  assert.deepEqual(words.can(undefined), []);
});

test('the number is shown in threes and read digit by digit', () => {
  assert.equal(words.spacedPIN('481920'), '481 920');
  assert.equal(words.spacedPIN('4819'), '481 9');
  assert.equal(words.spacedPIN('481'), '481');
  assert.equal(words.spokenPIN('481920'), '4 8 1, 9 2 0');
});

test('browsers are called by their names', () => {
  const apple = '(KHTML, like Gecko)';
  for (const [userAgent, want] of [
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 ${apple} Chrome/140.0.0.0 Safari/537.36`, 'Chrome on Windows'],
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 ${apple} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0`, 'Edge on Windows'],
    [`Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 ${apple} HeadlessChrome/140.0.0.0 Safari/537.36`, 'Chrome on Linux'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0', 'Firefox on Linux'],
    [`Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 ${apple} Version/18.5 Mobile/15E148 Safari/604.1`, 'Safari on iPhone'],
    [`Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 ${apple} CriOS/140.0 Mobile/15E148 Safari/604.1`, 'Chrome on iPhone'],
    [`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 ${apple} Version/18.5 Safari/605.1.15`, 'Safari on Mac'],
    [`Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 ${apple} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`, 'Samsung Internet on Android'],
    [`Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 ${apple} Chrome/140.0.0.0 Safari/537.36`, 'Chrome on Chromebook'],
    ['Mozilla/5.0', 'A browser'],
    ['', 'A browser'],
    [undefined, 'A browser'],
    ['curl/8.5.0', 'curl/8.5.0'],
  ]) {
    assert.equal(words.browserName(userAgent), want, userAgent);
  }
});

test('a friendly first name', () => {
  for (const [userAgent, touch, want] of [
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)', 5, 'iPhone'],
    ['Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X)', 5, 'iPad'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)', 5, 'iPad'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)', 0, 'Mac'],
    ['Mozilla/5.0 (Linux; Android 10; K) Mobile Safari/537.36', 5, 'Android phone'],
    ['Mozilla/5.0 (Linux; Android 13; SM-X900)', 5, 'Android tablet'],
    ['Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)', 0, 'Chromebook'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64)', 10, 'Windows computer'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:128.0)', 0, 'Linux computer'],
    ['', 0, 'My phone'],
  ]) {
    assert.equal(words.guessName({ userAgent, maxTouchPoints: touch }), want, userAgent);
  }
  assert.equal(words.guessName(), 'My phone');
});
