// The list of devices, with renaming and removing.

import { asProblem, call } from '../page/api.js';
import { byId, complain, fill, reconcile, stamp, toggle, write } from '../page/view.js';
import { ago, exactly } from '../page/words.js';
import { cards } from './list.js';
import * as removal from './removal.js';
import { renameDialog } from './rename.js';

/** Runs the list; failed handles a problem that concerns the whole page. */
export function devicesPanel({ failed }) {
  const list = byId('device-list');
  let self = null;
  let owner = false;
  let devices = [];
  let pending = removal.none;

  const rename = renameDialog({ failed, renamed });
  const toast = byId('toast');

  async function refresh(gateway, asOwner) {
    self = gateway;
    owner = asOwner;
    try {
      devices = (await call('GET', '/api/devices')) ?? [];
      complain(byId('devices-problem'), null);
    } catch (thrown) {
      const problem = asProblem(thrown);
      // A device that may not see the others still sees this one.
      if (problem.status !== 403) throw problem;
      devices = [];
    }
    draw();
  }

  function draw() {
    const visible = devices.filter((device) => !removal.hides(pending, device.id));
    reconcile(list, cards(self, visible), { key: (card) => card.id, create, update });
    const empty = byId('devices-empty');
    toggle(empty, owner && visible.length === 0);
    write(empty, 'Pair your first device to get started.');
  }

  function create(card) {
    const element = stamp('device-card');
    const part = parts(element);
    part('rename').addEventListener('click', () => rename.open(current(card)));
    part('remove').addEventListener('click', () => remove(current(card)));
    return element;
  }

  /** The card as it is now: its name may have changed since it was made. */
  function current(card) {
    return cards(self, devices).find((one) => one.id === card.id) ?? card;
  }

  function update(element, card) {
    const part = parts(element);
    element.dataset.status = card.status;
    element.querySelector('use').setAttribute('href', `#kind-${icon(card.kind)}`);
    write(part('name'), card.name);
    write(part('status'), card.word);
    write(part('can'), card.can);
    toggle(part('can'), card.can !== '');
    toggle(part('here'), card.self && owner);
    const seen = ago(card.seen);
    toggle(part('seen-line'), seen !== '');
    write(part('seen'), seen);
    part('seen').dateTime = card.seen ?? '';
    part('seen').title = exactly(card.seen);
    toggle(part('actions'), owner);
    part('repair').href = `/add#repair=${encodeURIComponent(card.id)}`;
    toggle(part('repair'), owner && card.status === 'needs_repair');
    toggle(part('remove'), !card.self);
    part('rename').setAttribute('aria-label', `Rename ${card.name}`);
    part('remove').setAttribute('aria-label', `Remove ${card.name}`);
  }

  function renamed(id, name) {
    if (self.id === id) self = { ...self, name };
    devices = devices.map((device) => (device.id === id ? { ...device, name } : device));
    draw();
  }

  function remove(card) {
    pending = removal.remove(pending, card, Date.now());
    setTimeout(settle, removal.GRACE);
    draw();
    announce();
    byId('undo').focus();
  }

  function settle(now = Date.now()) {
    const { final, pending: left } = removal.settle(pending, now);
    for (const one of final) finish(one);
    pending = left;
    announce();
    // A timer may ring a little early by the clock.
    if (left.length > 0) setTimeout(settle, Math.max(50, left[0].due - Date.now()));
  }

  async function finish({ id }) {
    devices = devices.filter((device) => device.id !== id);
    try {
      await call('DELETE', `/api/devices/${encodeURIComponent(id)}`, undefined, { keepalive: true });
    } catch (thrown) {
      const problem = asProblem(thrown);
      if (problem.code !== 'not_found' && !failed(problem)) complain(byId('devices-problem'), problem);
    }
  }

  function announce() {
    const latest = pending.at(-1);
    const focused = toast.contains(document.activeElement);
    fill(toast, { removed: latest?.name ?? '' });
    toggle(toast, latest !== undefined);
    if (focused && !latest) byId('devices-title').focus();
  }

  byId('undo').addEventListener('click', () => {
    pending = removal.undo(pending);
    draw();
    announce();
  });
  // Whoever leaves the page has not asked for the device back.
  addEventListener('pagehide', () => settle(Infinity));

  return { refresh };
}

function parts(element) {
  return (name) => element.querySelector(`[data-part="${name}"]`);
}

function icon(kind) {
  return kind === 'browser' || kind === 'script' ? kind : 'gateway';
}
