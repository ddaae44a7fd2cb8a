import assert from 'node:assert/strict';
import { test } from 'node:test';
import { repeat } from './repeat.js';

/** A page and a timer that move when the test says so. */
function world() {
  const page = Object.assign(new EventTarget(), { hidden: false });
  const due = [];
  return {
    options: { page, timer: (fn) => due.push(fn) },
    page,
    due,
    async tick() {
      await new Promise(setImmediate);
      const all = due.splice(0);
      for (const fn of all) await fn();
      return all.length;
    },
    see(visible) {
      page.hidden = !visible;
      page.dispatchEvent(new Event('visibilitychange'));
    },
  };
}

test('goes on until the task says no', async () => {
  const w = world();
  let rounds = 0;
  repeat(1000, async () => (rounds += 1) < 3, w.options);
  assert.equal(rounds, 1, 'the first round is at once');
  await w.tick();
  await w.tick();
  assert.equal(rounds, 3);
  assert.equal(await w.tick(), 0);
});

test('stop ends it', async () => {
  const w = world();
  let rounds = 0;
  const stop = repeat(1000, async () => { rounds += 1; }, w.options);
  stop();
  await w.tick();
  assert.equal(rounds, 1);
});

test('a page that nobody sees waits', async () => {
  const w = world();
  let rounds = 0;
  repeat(1000, async () => { rounds += 1; }, w.options);
  w.see(false);
  await w.tick();
  assert.equal(rounds, 1);
  assert.equal(await w.tick(), 0, 'no timer runs while hidden');
  w.see(true);
  assert.equal(rounds, 2);
  w.see(true);
  assert.equal(rounds, 2, 'seen twice is asked once');
});
