// Words for people: times, sizes, states and abilities. Nothing here touches
// the page.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** "3 hours ago" for a time in RFC 3339, or '' for none. */
export function ago(iso, now = Date.now()) {
  const at = Date.parse(iso ?? '');
  if (Number.isNaN(at)) return '';
  // A clock that runs ahead must not put the past into the future.
  const seconds = Math.max(0, (now - at) / 1000);
  if (seconds < MINUTE) return 'just now';
  if (seconds < HOUR) return relative.format(-Math.floor(seconds / MINUTE), 'minute');
  if (seconds < DAY) return relative.format(-Math.floor(seconds / HOUR), 'hour');
  if (seconds < 14 * DAY) return relative.format(-Math.floor(seconds / DAY), 'day');
  return 'on ' + new Date(at).toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric' });
}

/** The exact local time, for whoever hovers; '' for none. */
export function exactly(iso) {
  const at = Date.parse(iso ?? '');
  return Number.isNaN(at) ? '' : new Date(at).toLocaleString('en-GB', { dateStyle: 'long', timeStyle: 'short' });
}

/** How much longer something works, in words: "for 4 more minutes". */
export function remaining(iso, now = Date.now()) {
  // The two clocks are a few seconds apart at best.
  const minutes = Math.ceil(((Date.parse(iso) - now) / 1000 - 3) / MINUTE);
  if (!(minutes > 1)) return 'for less than a minute';
  return `for ${minutes} more minutes`;
}

/** A size as people say it: "2.1 GB". */
export function size(bytes) {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  let n = bytes;
  let unit = 0;
  while (n >= 999.5 && unit < units.length - 1) {
    n /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && n < 9.95 ? 1 : 0;
  return `${n.toFixed(digits)} ${bytes === 1 ? 'byte' : units[unit]}`;
}

const statuses = { available: 'Available', offline: 'Offline', needs_repair: 'Needs re-pairing' };

/** The word for a device's status. */
export function status(code) {
  return statuses[code] ?? statuses.offline;
}

const abilities = {
  'media.storage': 'Can store media',
  'media.transcode': 'Can process video',
  posts: 'Can post',
  always_on: 'Always on',
};

/**
 * What a device can do, in words. Titles are the plain words a plugin brings for
 * abilities that are not among the well-known ones; one without words is left out.
 */
export function can(capabilities, titles = {}) {
  const said = new Set();
  for (const id of capabilities ?? []) {
    const words = abilities[id] ?? abilities[id.split('.')[0]] ?? titles[id];
    if (words) said.add(words);
  }
  return [...said];
}

/** The number as it is shown: "481 920". */
export function spacedPIN(pin) {
  return pin.length > 3 ? `${pin.slice(0, 3)} ${pin.slice(3)}` : pin;
}

/** The number as it is read out, digit by digit. */
export function spokenPIN(pin) {
  return `${[...pin.slice(0, 3)].join(' ')}, ${[...pin.slice(3)].join(' ')}`;
}

// The first that fits counts: many browsers also name the one they descend from.
const browsers = [
  ['Edge', /\bEdg(A|iOS)?\//],
  ['Opera', /\bOPR\//],
  ['Samsung Internet', /\bSamsungBrowser\//],
  ['Firefox', /\b(Firefox|FxiOS)\//],
  ['Chrome', /(Chrome|CriOS)\//],
  ['Safari', /\bSafari\//],
];

const systems = [
  ['iPhone', /iPhone/],
  ['iPad', /iPad/],
  ['Android', /Android/],
  ['Chromebook', /CrOS/],
  ['Mac', /Macintosh/],
  ['Windows', /Windows/],
  ['Linux', /Linux/],
];

/** "Firefox on Windows" for what a browser calls itself; other texts stay as they are. */
export function browserName(userAgent) {
  if (!userAgent) return 'A browser';
  if (!userAgent.startsWith('Mozilla/')) return userAgent;
  const fits = ([, pattern]) => pattern.test(userAgent);
  const browser = browsers.find(fits)?.[0] ?? 'A browser';
  const system = systems.find(fits)?.[0];
  return system ? `${browser} on ${system}` : browser;
}

/**
 * A first guess at what this device is called, from what its browser says of
 * itself; the person can change it.
 */
export function guessName({ userAgent = '', maxTouchPoints = 0 } = {}) {
  const has = (word) => userAgent.includes(word);
  if (has('iPhone')) return 'iPhone';
  // iPads say that they are Macs, but no Mac has a touch screen.
  if (has('iPad') || (has('Macintosh') && maxTouchPoints > 1)) return 'iPad';
  if (has('Android')) return has('Mobile') ? 'Android phone' : 'Android tablet';
  if (has('Macintosh')) return 'Mac';
  if (has('CrOS')) return 'Chromebook';
  if (has('Windows')) return 'Windows computer';
  if (has('Linux')) return 'Linux computer';
  return 'My phone';
}
