// The part of "Add a device" that joins another gateway from this one.

import { asProblem, call, Problem } from '../page/api.js';
import { repeat } from '../page/repeat.js';
import { busy, byId, complain, fill, write } from '../page/view.js';
import { incomplete, pinField } from './field.js';
import * as joining from './joining.js';
import { digits } from './pin.js';

const PAUSE = 1000; // milliseconds between two questions

const VIEWS = { connecting: 'connecting', pin: 'pin', sending: 'pin', proving: 'pin', paired: 'paired', failed: 'failed' };

/** Runs the panel; begin is called when a join starts, so that nothing else goes on. */
export function joinPanel({ display, signedOut, begin }) {
  const target = byId('target');
  const pin = byId('pin');
  let state = joining.start;

  function go(next) {
    const before = state.view;
    state = next;
    fill(document.body, { gateway: state.gateway, ...(state.view === 'paired' && { device: state.gateway }) });
    complain(byId('target-problem'), state.view === 'asking' ? state.problem : null);
    complain(byId('pin-problem'), state.view === 'pin' ? state.problem : null);
    complain(byId('failed-problem'), state.view === 'failed' ? state.problem : null);
    write(byId('pin-submit'), ['sending', 'proving'].includes(state.view) ? 'Checking…' : 'Join');
    if (VIEWS[state.view]) display(VIEWS[state.view]);
    if (state.view === 'pin' && before !== 'pin') {
      if (state.problem?.code === 'forbidden') pin.value = '';
      pin.focus();
    }
  }

  async function join() {
    const where = target.value.trim();
    if (where === '') {
      go(joining.refused(new Problem({ error: 'Paste the link, or type the address.', code: 'invalid' })));
      target.focus();
      return;
    }
    try {
      const answer = await call('POST', '/api/pairings', { target: where });
      begin();
      pin.value = '';
      go(joining.begun(answer));
      repeat(PAUSE, () => ask(answer.id));
    } catch (thrown) {
      const problem = asProblem(thrown);
      if (problem.status === 401) signedOut();
      else go(joining.refused(problem));
    }
  }

  async function ask(id) {
    let next;
    const { turn } = state;
    try {
      next = joining.polled(state, await call('GET', `/api/pairings/${encodeURIComponent(id)}`), turn);
    } catch (thrown) {
      next = joining.missed(state, asProblem(thrown));
    }
    if (state.id !== id) return false;
    if (next !== state) go(next);
    return joining.watching(state);
  }

  async function enter() {
    const number = digits(pin.value);
    if (number.length < 6) {
      go(joining.rejected(state, incomplete()));
      return;
    }
    go(joining.entered(state));
    try {
      await call('POST', `/api/pairings/${encodeURIComponent(state.id)}/pin`, { pin: number });
      go(joining.accepted(state));
    } catch (thrown) {
      go(joining.rejected(state, asProblem(thrown)));
    }
  }

  pinField(pin);
  byId('join-form').addEventListener('submit', (event) => {
    event.preventDefault();
    busy(byId('join-submit'), join);
  });
  byId('pin-form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (state.view === 'pin') busy(byId('pin-submit'), enter);
  });
}
