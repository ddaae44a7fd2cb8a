import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cards } from './list.js';
import * as removal from './removal.js';
import { mayUpload, who } from './session.js';

const device = (id, status, last_seen = null, more = {}) => ({ id, name: id, kind: 'gateway', status, capabilities: [], last_seen, ...more });

test('this device first, then Available by last use, Offline, Needs re-pairing', () => {
  const list = cards({ id: 'me', name: 'Desktop', capabilities: ['media.storage'], titles: {} }, [
    device('broken', 'needs_repair', '2026-03-09T00:00:00Z'),
    device('off-long', 'offline', '2026-01-01T00:00:00Z'),
    device('never', 'offline'),
    device('zoe', 'available'),
    device('off-lately', 'offline', '2026-03-01T00:00:00Z'),
    device('anna', 'available'),
    device('odd', 'sleeping', '2026-02-01T00:00:00Z'),
  ]);
  assert.deepEqual(list.map((card) => card.id), ['me', 'anna', 'zoe', 'off-lately', 'odd', 'off-long', 'never', 'broken']);
  assert.deepEqual(list.map((card) => card.self), [true, false, false, false, false, false, false, false]);
  assert.equal(list[0].can, 'Can\u00a0store\u00a0media');
  assert.equal(list.find((card) => card.id === 'odd').word, 'Offline');
});

test('a card says what people need', () => {
  const [card] = cards(null, [device('x', 'offline', '2026-03-09T00:00:00Z', { name: '', kind: 'browser', capabilities: ['media.storage', 'always_on'] })]);
  assert.deepEqual(card, {
    id: 'x', name: 'Unnamed device', kind: 'browser', self: false, status: 'offline', word: 'Offline',
    seen: '2026-03-09T00:00:00Z', can: 'Can\u00a0store\u00a0media · Always\u00a0on',
  });
  assert.equal(cards(null, [device('x', 'available', '2026-03-09T00:00:00Z')])[0].seen, null);
  assert.deepEqual(cards(null, []), []);
});

test('a removal can be undone until its time is over', () => {
  const one = removal.remove(removal.none, { id: 'a', name: 'A' }, 1000);
  const two = removal.remove(one, { id: 'b', name: 'B' }, 2000);
  assert.equal(removal.remove(two, { id: 'a', name: 'A' }, 9000), two, 'twice is once');
  assert.equal(removal.hides(two, 'a'), true);
  assert.deepEqual(removal.undo(two), one, 'the latest is undone first');
  assert.equal(removal.hides(removal.undo(two, 'a'), 'a'), false);
  assert.deepEqual(removal.undo(removal.none), []);

  assert.deepEqual(removal.settle(two, 10_999), { final: [], pending: two });
  const later = removal.settle(two, 11_000);
  assert.deepEqual(later.final.map(({ id }) => id), ['a']);
  assert.deepEqual(later.pending.map(({ id }) => id), ['b']);
  assert.equal(removal.settle(two, Infinity).final.length, 2);
});

test('who looks, and what may be offered', () => {
  assert.deepEqual(who({ owner: true, name: 'You', gateway: { name: 'Desktop' } }), { owner: true, name: 'You', gateway: 'Desktop', permissions: null });
  for (const strange of [null, {}, { owner: 'yes' }, { owner: 1, gateway: null }]) assert.equal(who(strange).owner, false);
  for (const [permissions, want] of [
    [undefined, true],
    [['media:upload'], true],
    [['posts:*', 'media:*'], true],
    [['*:upload'], true],
    [['*'], true],
    [['media:read', 'devices:read'], false],
    [[], false],
  ]) {
    assert.equal(mayUpload(who({ permissions })), want, JSON.stringify(permissions));
  }
});
