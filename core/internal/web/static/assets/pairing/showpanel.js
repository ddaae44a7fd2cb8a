// The part of "Add a device" that shows a code, and the number once somebody
// has used it.

import { asProblem, call, callWithClock } from '../page/api.js';
import { repeat } from '../page/repeat.js';
import { busy, byId, complain, fill, toggle, write } from '../page/view.js';
import { remaining, spacedPIN, spokenPIN } from '../page/words.js';
import * as showing from './showing.js';

const PAUSE = 1000; // milliseconds between two questions

/**
 * Runs the panel; display shows a view, signedOut says that the owner has left,
 * and repair is the id of a device to pair again, or null.
 */
export function showPanel({ display, signedOut, repair }) {
  const qr = byId('qr');
  let state = showing.start;
  let stop = () => {};
  let turn = 0; // counts the codes, so that an old answer is known for one

  function go(next) {
    if (next.view === 'open' && next.code !== state.code) openCode(next);
    if (next.view !== 'open') closeCode();
    state = next;
    draw();
  }

  function openCode({ code, link }) {
    qr.src = `/auth/pair/${encodeURIComponent(code)}/qr.svg`;
    qr.alt = 'A code to scan. If you cannot, the link below does the same.';
    byId('link').value = link;
    write(byId('copied'), '');
  }

  function closeCode() {
    qr.removeAttribute('src');
    byId('link').value = '';
  }

  function draw() {
    fill(document.body, { device: state.device });
    write(byId('number'), state.pin ? spacedPIN(state.pin) : '');
    write(byId('number-spoken'), state.pin ? spokenPIN(state.pin) : '');
    if (state.view === 'open') {
      write(byId('countdown'), `This code works ${remaining(state.expires, Date.now() + state.ahead)}.`);
    }
    toggle(byId('lost'), showing.lost(state));
    toggle(byId('lost-claimed'), showing.lost(state));
    complain(byId('ended-problem'), state.view === 'ended' ? state.problem : null);
    display(state.view === 'starting' ? 'loading' : state.view);
  }

  async function ask(code) {
    let next;
    try {
      next = showing.polled(state, await call('GET', `/auth/pair/${encodeURIComponent(code)}`));
    } catch (thrown) {
      const problem = asProblem(thrown);
      if (problem.status === 401 || problem.status === 403) {
        leave();
        signedOut();
        return false;
      }
      next = showing.missed(state, problem);
    }
    // The person may have moved on while the gateway answered.
    if (state.code !== code) return false;
    go(next);
    return showing.watching(state);
  }

  async function start() {
    if (repair === null) return callWithClock('POST', '/auth/pair/start', {});
    const device = `/api/devices/${encodeURIComponent(repair)}`;
    const { name, kind } = await call('GET', device);
    write(byId('open-title'), `Pair \u2068${name}\u2069 again`); // isolated, whichever way it is written
    const phone = kind === 'browser';
    toggle(byId('steps-phone'), phone);
    toggle(byId('warning'), phone);
    toggle(byId('link-hint'), phone);
    toggle(byId('steps-gateway'), !phone);
    byId('link-details').open = !phone;
    return callWithClock('POST', `${device}/repair`, {});
  }

  async function begin() {
    leave();
    go(showing.start);
    const mine = (turn += 1);
    try {
      const { answer, ahead } = await start();
      if (mine !== turn) return;
      go(showing.opened(answer, ahead));
      stop = repeat(PAUSE, () => ask(answer.code));
    } catch (thrown) {
      if (mine !== turn) return;
      const problem = asProblem(thrown);
      if (problem.status === 401 || problem.status === 403) signedOut();
      else go(showing.refused(problem));
    }
  }

  /** Ends a window that is still open; the page may be going away. */
  function leave() {
    stop();
    turn += 1;
    if (!showing.watching(state)) return;
    call('DELETE', `/auth/pair/${encodeURIComponent(state.code)}`, undefined, { keepalive: true }).catch(() => {});
    state = showing.start;
    closeCode();
  }

  byId('cancel').addEventListener('click', () => busy(byId('cancel'), async () => {
    leave();
    go(showing.cancelled());
  }));
  byId('copy').addEventListener('click', copy);
  return { begin, leave };
}

async function copy() {
  const link = byId('link');
  link.select();
  let copied = false;
  try {
    await navigator.clipboard.writeText(link.value);
    copied = true;
  } catch {
    copied = document.execCommand('copy'); // the clipboard is not given to every page
  }
  write(byId('copied'), copied ? 'Copied.' : 'Select the link and copy it by hand.');
}
