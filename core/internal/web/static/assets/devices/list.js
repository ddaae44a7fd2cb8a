// The list of devices as people see it. Nothing here touches the page.

import { can, status } from '../page/words.js';

const RANK = { available: 0, offline: 1, needs_repair: 2 };

/**
 * The cards to show: this device first, then Available by last use, Offline,
 * and what needs re-pairing. self is null when the caller is not on it.
 */
export function cards(self, devices) {
  const others = devices.map((device) => card(device)).sort(order);
  return self ? [selfCard(self), ...others] : others;
}

function card(device) {
  const known = device.status in RANK ? device.status : 'offline';
  return {
    id: device.id,
    name: device.name || 'Unnamed device',
    kind: device.kind,
    self: false,
    status: known,
    word: status(known),
    // For one that is here now, when it was last seen says nothing.
    seen: known === 'available' ? null : (device.last_seen ?? null),
    can: abilities(device.capabilities),
  };
}

function selfCard(self) {
  return {
    id: self.id ?? 'self',
    name: self.name || 'This device',
    kind: 'gateway',
    self: true,
    status: 'available',
    word: status('available'),
    seen: null,
    can: abilities(self.capabilities, self.titles),
  };
}

// A line may break between two abilities, not within one.
function abilities(capabilities, titles) {
  return can(capabilities, titles).map((words) => words.replaceAll(' ', '\u00a0')).join(' · ');
}

function order(a, b) {
  return RANK[a.status] - RANK[b.status] || later(a, b) || a.name.localeCompare(b.name, 'en');
}

function later(a, b) {
  return (Date.parse(b.seen ?? '') || 0) - (Date.parse(a.seen ?? '') || 0);
}
