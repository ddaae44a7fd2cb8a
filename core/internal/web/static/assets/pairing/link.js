// What the fragments of Salita's links hold. Nothing here touches the page.

const code = /^[a-z2-7]{26}$/i;

/**
 * Reads the fragment of a link that lets a device join:
 * "#v1.<code>.<linking code>.<key hash>.<addresses>". Returns null for anything else.
 */
export function parseJoin(fragment) {
  const [version, name, secret, ...rest] = fragment.replace(/^#/, '').split('.');
  if (version !== 'v1' || rest.length < 2) return null;
  if (!code.test(name) || !code.test(secret)) return null;
  return { code: name, linkingCode: secret };
}

/** Reads which device the owner wants to pair again from "#repair=<id>", or returns null. */
export function parseRepair(fragment) {
  return /^#?repair=([\w-]{1,128})$/.exec(fragment)?.[1] ?? null;
}

/** Reads the secret of a sign-in link, or returns null. */
export function parseSignIn(fragment) {
  const secret = fragment.replace(/^#/, '');
  return /^[\w.~-]{16,256}$/.test(secret) ? secret : null;
}
