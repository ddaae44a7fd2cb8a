import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemFrom } from '../page/api.js';
import * as queue from './queue.js';

const hash = 'ab'.repeat(32);
let key = 0;
const add = (list, ...files) => queue.add(list, files, () => `k${(key += 1)}`);
const two = add([], { name: 'beach.jpg', size: 2_100_000 }, { name: '', size: 0 });
const [first, second] = two.map((one) => one.key);

test('one after the other', () => {
  assert.deepEqual(two.map((one) => [one.name, one.state]), [['beach.jpg', 'waiting'], ['Untitled', 'waiting']]);
  assert.equal(queue.ready([]), null);
  assert.equal(queue.ready(two).key, first);
  const sending = queue.began(two, first);
  assert.equal(queue.ready(sending), null);
  const done = queue.arrived(sending, first, { size: 2_100_000, sha256: hash }, hash);
  assert.equal(queue.ready(done).key, second);
  assert.equal(queue.unfinished(done), true);
  const all = queue.arrived(queue.began(done, second), second, { size: 0, sha256: hash }, null);
  assert.equal(queue.unfinished(all), false);
  assert.equal(queue.summary(all), '2 files arrived');
});

test('the line of a file', () => {
  const sending = queue.began(two, first);
  const line = (list) => queue.line(list[0]);
  assert.equal(line(two), 'Waiting');
  assert.equal(line(sending), '0 % of 2.1 MB');
  assert.equal(line(queue.progressed(sending, first, 1_050_000)), '50 % of 2.1 MB');
  assert.equal(line(queue.progressed(sending, first, 9_999_999)), 'Checking', 'headers do not count as the file');
  assert.equal(line(queue.arrived(sending, first, { size: 2_100_000, sha256: hash }, null)), 'Arrived, 2.1 MB');
  assert.equal(queue.line(queue.began(two, second)[1]), '0 % of 0 bytes');
  assert.equal(queue.progressed(two, first, 5)[0].sent, 0, 'progress after the end is no progress');
});

test('only what is the same on both sides has arrived', () => {
  for (const [name, stored, own] of [
    ['nothing', null, hash],
    ['another size', { size: 1, sha256: hash }, hash],
    ['another hash', { size: 2_100_000, sha256: 'cd'.repeat(32) }, hash],
    ['no hash', { size: 2_100_000 }, null],
    ['no hash at all', { size: 2_100_000, sha256: 'x' }, null],
  ]) {
    let list = two;
    for (let i = 1; i < queue.MAX_TRIES; i += 1) {
      list = queue.arrived(queue.began(list, first), first, stored, own);
      assert.equal(queue.line(list[0]), 'The file changed on the way. Sending again.', name);
      assert.equal(queue.ready(list).key, first, name);
    }
    list = queue.arrived(queue.began(list, first), first, stored, own);
    assert.equal(list[0].state, 'failed', name);
  }
});

test('a failure is said, and can be tried again', () => {
  const broken = queue.failed(queue.began(two, first), first, problemFrom(507, { error: "Desktop doesn't have enough space.", code: 'no_space', reference: 'AAAAA' }));
  assert.equal(queue.line(broken[0]), "Desktop doesn't have enough space.");
  assert.equal(queue.ready(broken).key, second, 'the others go on');
  const again = queue.retry(broken, first);
  assert.deepEqual([again[0].state, again[0].problem, queue.line(again[0])], ['waiting', null, 'Waiting']);
  assert.equal(queue.retry(two, first)[0].state, 'waiting');
  const done = queue.arrived(queue.began(broken, second), second, { size: 0, sha256: hash }, null);
  assert.equal(queue.summary(done), '1 of 2 files arrived, 1 not sent');
});

test('what was dropped stays dropped', () => {
  const left = queue.drop(queue.began(two, first), first);
  assert.deepEqual(left.map((one) => one.key), [second]);
  assert.deepEqual(queue.failed(left, first, problemFrom(500, null)), left);
  assert.equal(queue.summary([]), '');
  assert.equal(queue.summary(add([], { name: 'a', size: 1 })), '0 of 1 file arrived');
});
