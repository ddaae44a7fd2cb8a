// Which steps make a browser trust the gateway. Nothing here touches the page.

/** "apple", "android", "mac", "windows" or "other", from what the browser says of itself. */
export function platform({ userAgent = '', maxTouchPoints = 0 } = {}) {
  const has = (word) => userAgent.includes(word);
  if (has('iPhone') || has('iPad')) return 'apple';
  if (has('Macintosh')) return maxTouchPoints > 1 ? 'apple' : 'mac'; // iPads say that they are Macs
  if (has('Android')) return 'android';
  if (has('Windows')) return 'windows';
  return 'other';
}

/** A long fingerprint in groups that two people can compare: "AB:CD:EF:01 23:…". */
export function grouped(fingerprint) {
  return fingerprint.match(/(?:[^:]+:){1,3}[^:]+:?|[^:]+/g)?.map((group) => group.replace(/:$/, '')).join(' ') ?? '';
}
