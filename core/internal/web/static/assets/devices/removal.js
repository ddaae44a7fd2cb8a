// Removals that can still be undone. Nothing here touches the page.

/** How long a removal can be undone, in milliseconds. */
export const GRACE = 10_000;

/** No removal at all. */
export const none = Object.freeze([]);

/** The person removed a device. */
export function remove(pending, device, now) {
  if (hides(pending, device.id)) return pending;
  return [...pending, { id: device.id, name: device.name, due: now + GRACE }];
}

/** The person wants it back; null means the latest one. */
export function undo(pending, id = null) {
  const target = id ?? pending.at(-1)?.id;
  return pending.filter((one) => one.id !== target);
}

/** Splits into what time has made final and what can still be undone. */
export function settle(pending, now) {
  return {
    final: pending.filter((one) => one.due <= now),
    pending: pending.filter((one) => one.due > now),
  };
}

/** Whether this device is to be left out of the list. */
export function hides(pending, id) {
  return pending.some((one) => one.id === id);
}
