import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJoin, parseRepair, parseSignIn } from './link.js';
import { complete, digits } from './pin.js';

const code = 'abcdefghijklmnopqrstuvwx23';
const secret = '234567abcdefghijklmnopqrst';

test('a join link brings code and secret', () => {
  const want = { code, linkingCode: secret };
  for (const rest of ['keyhash.192.168.0.7:6969', 'k.[fe80::1%25eth0]:6969,10.0.0.2:6969', 'k.a.b.c.d']) {
    assert.deepEqual(parseJoin(`#v1.${code}.${secret}.${rest}`), want, rest);
  }
  assert.deepEqual(parseJoin(`v1.${code}.${secret}.k.a`), want);
});

test('anything else is no join link', () => {
  for (const text of [
    '', '#', '#v1', `#v2.${code}.${secret}.k.a`, `#v1.${code}.${secret}`, `#v1.${code}.${secret}.k`,
    `#v1.${code}x.${secret}.k.a`, `#v1.${code.slice(1)}.${secret}.k.a`, `#v1.../../x.${secret}.k.a`,
    `#v1.${code.slice(2)}/1.${secret}.k.a`, `#v1.${code.slice(1)}0.${secret}.k.a`, `#v1.${code}..k.a`,
  ]) {
    assert.equal(parseJoin(text), null, text);
  }
});

test('a sign-in link brings its secret', () => {
  assert.equal(parseSignIn('#salita_AbC-123_xyz456'), 'salita_AbC-123_xyz456');
  for (const text of ['', '#', '#short', '#with space in it somewhere', `#${'x'.repeat(257)}`, '#<script>alert(1)</script>']) {
    assert.equal(parseSignIn(text), null, text);
  }
});

test('a device to pair again', () => {
  assert.equal(parseRepair('#repair=k3j2-x_Y'), 'k3j2-x_Y');
  for (const text of ['', '#repair=', '#repair=a/b', '#repair=a#b', '#other=a', `#repair=${'x'.repeat(129)}`]) {
    assert.equal(parseRepair(text), null, text);
  }
});

test('digits are found in what people type and paste', () => {
  for (const [text, want] of [
    ['481920', '481920'],
    ['481 920', '481920'],
    [' 481-920\n', '481920'],
    ['Your number: 481920.', '481920'],
    ['4819201', '481920'],
    ['４８１９２０', '481920'],
    ['٤٨١٩٢٠', '481920'],
    ['४८१९२०', '481920'],
    ['', ''],
    ['four', ''],
  ]) {
    assert.equal(digits(text), want, text);
  }
  assert.equal(complete('481 92'), false);
  assert.equal(complete('481 920'), true);
});
