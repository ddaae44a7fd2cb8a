// The dialog that gives a device another name.

import { asProblem, call, Problem } from '../page/api.js';
import { busy, byId, complain, fill } from '../page/view.js';

/** Runs the dialog; renamed is told the id and the name that the gateway took. */
export function renameDialog({ failed, renamed }) {
  const dialog = byId('rename');
  const field = byId('new-name');
  const said = byId('rename-problem');
  let card = null;

  function open(of) {
    card = of;
    fill(dialog, { device: card.name });
    field.value = card.name;
    complain(said, null);
    dialog.showModal();
    field.select();
  }

  async function rename() {
    const name = field.value.trim();
    if (name === '') {
      complain(said, new Problem({ error: 'A device needs a name.', code: 'invalid' }));
      field.focus();
      return;
    }
    try {
      const answer = card.self
        ? await call('POST', '/api/node/identity', { name })
        : await call('PATCH', `/api/devices/${encodeURIComponent(card.id)}`, { name });
      dialog.close();
      renamed(card.id, answer?.name ?? name);
    } catch (thrown) {
      const problem = asProblem(thrown);
      if (problem.status === 401) dialog.close();
      if (!failed(problem)) complain(said, problem);
    }
  }

  byId('rename-form').addEventListener('submit', (event) => {
    event.preventDefault();
    busy(byId('rename-submit'), rename);
  });
  byId('rename-cancel').addEventListener('click', () => dialog.close());
  return { open };
}
