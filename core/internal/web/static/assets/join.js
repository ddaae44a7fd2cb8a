// The page behind the code that a phone scans: name, number, done.

import { call, asProblem } from './page/api.js';
import { guessName } from './page/words.js';
import { busy, byId, complain, fill, show, write } from './page/view.js';
import { parseJoin } from './pairing/link.js';
import { digits } from './pairing/pin.js';
import { incomplete, pinField } from './pairing/field.js';
import * as claiming from './pairing/claiming.js';

const name = byId('name');
const pin = byId('pin');
let state = { view: 'loading' };

/** Takes the next state, remembers what a reload needs, and shows it. */
function go(next) {
  state = next;
  history.replaceState(claiming.kept(state), '', location.pathname);
  draw();
}

const VIEWS = { claiming: 'naming', verifying: 'pin' };

function draw() {
  fill(document.body, { gateway: state.gateway });
  show(VIEWS[state.view] ?? state.view);
  write(byId('name-submit'), state.view === 'claiming' ? 'Asking…' : 'Continue');
  write(byId('pin-submit'), state.view === 'verifying' ? 'Checking…' : 'Join');
  const problem = state.problem ?? null;
  complain(byId('name-problem'), state.view === 'naming' ? problem : null);
  complain(byId('pin-problem'), state.view === 'pin' ? problem : null);
  complain(byId('ended-problem'), state.view === 'ended' ? problem : null);
}

async function claim() {
  const called = name.value.trim() || guessName(navigator);
  go(claiming.named(state, called));
  try {
    const answer = await call('POST', '/auth/pair/claim', {
      code: state.link.code, linking_code: state.link.linkingCode, name: called, kind: 'browser',
    });
    go(claiming.claimed(state, answer));
    pin.focus();
  } catch (thrown) {
    go(claiming.failed(state, asProblem(thrown)));
  }
}

async function verify() {
  const number = digits(pin.value);
  if (number.length < 6) {
    complain(byId('pin-problem'), incomplete());
    pin.focus();
    return;
  }
  go(claiming.entered(state));
  try {
    // The answer sets the session cookie; the token in it is for scripts.
    await call('POST', '/auth/pair/verify', {
      code: state.link.code,
      pin: number,
      linking_code: state.link.linkingCode,
      node_identity: { node_id: '', name: state.name, hostname: '', port: 0, capabilities: [], kind: 'browser' },
    });
    go(claiming.verified(state));
  } catch (thrown) {
    const problem = asProblem(thrown);
    if (problem.code === 'forbidden') pin.value = '';
    go(claiming.failed(state, problem));
    if (state.view === 'pin') pin.focus();
  }
}

name.value = guessName(navigator);
pinField(pin);
byId('name-form').addEventListener('submit', (event) => {
  event.preventDefault();
  busy(byId('name-submit'), claim);
});
byId('pin-form').addEventListener('submit', (event) => {
  event.preventDefault();
  busy(byId('pin-submit'), verify);
});
// A code scanned while this page is open changes nothing but the fragment.
addEventListener('hashchange', () => start(parseJoin(location.hash)));

function start(link) {
  pin.value = '';
  go((link === null && claiming.resumed(history.state)) || claiming.opened(link));
}

show('loading');
start(parseJoin(location.hash));
