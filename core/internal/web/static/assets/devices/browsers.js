// The list of browsers that are signed in, each with a way to sign it out.

import { asProblem, call } from '../page/api.js';
import { busy, byId, complain, reconcile, stamp, toggle, write } from '../page/view.js';
import { ago, browserName, exactly } from '../page/words.js';

/** Runs the list; failed handles a problem that concerns the whole page. */
export function browsersPanel({ failed }) {
  const list = byId('browser-list');

  async function refresh() {
    const sessions = (await call('GET', '/api/sessions')) ?? [];
    // The one in use first, then the latest used.
    const ordered = [...sessions].sort((a, b) => Number(b.current === true) - Number(a.current === true) || Date.parse(b.last_used_at) - Date.parse(a.last_used_at));
    reconcile(list, ordered, { key: (session) => session.id, create, update });
  }

  function create(session) {
    const element = stamp('browser-row');
    const button = element.querySelector('[data-part="sign-out"]');
    button.addEventListener('click', () => busy(button, () => signOut(session.id)));
    return element;
  }

  async function signOut(id) {
    complain(byId('browsers-problem'), null);
    try {
      await call('DELETE', `/api/sessions/${encodeURIComponent(id)}`);
      await refresh();
      byId('browsers-title').focus();
    } catch (thrown) {
      const problem = asProblem(thrown);
      if (!failed(problem)) complain(byId('browsers-problem'), problem);
    }
  }

  return { refresh };
}

function update(element, session) {
  const part = (name) => element.querySelector(`[data-part="${name}"]`);
  const browser = browserName(session.description);
  // One that came by pairing is known by its device's name.
  const description = session.device || browser;
  write(part('description'), description);
  write(part('browser'), session.device ? `${browser}. ` : '');
  toggle(part('here'), session.current === true);
  toggle(part('sign-out'), session.current !== true);
  part('sign-out').setAttribute('aria-label', `Sign out ${description}`);
  const used = session.last_used_at ?? session.created_at;
  write(part('used'), ago(used));
  part('used').dateTime = used ?? '';
  part('used').title = exactly(used);
  toggle(part('used-line'), ago(used) !== '');
}
