// The page behind a sign-in link: gives the link's secret for a session.

import { call, asProblem, Problem } from './page/api.js';
import { parseSignIn } from './pairing/link.js';
import { byId, complain, show } from './page/view.js';

show('loading');
const secret = parseSignIn(location.hash);
// Neither the history nor a bookmark shall keep the secret.
history.replaceState(null, '', location.pathname);

// A browser may load a page before anybody asks for it, and the link works once.
if (document.prerendering) {
  await new Promise((seen) => document.addEventListener('prerenderingchange', seen, { once: true }));
}

try {
  if (secret === null) throw new Problem({ error: 'This link is not complete.', code: 'invalid' });
  await call('POST', '/auth/session', { secret });
  location.replace('/');
} catch (thrown) {
  show('failed');
  const problem = asProblem(thrown);
  // What the page says by itself needs no repeating.
  complain(byId('problem'), ['sign_in', 'expired', 'needs_repair', 'not_found', 'forbidden'].includes(problem.code) ? null : problem);
}
