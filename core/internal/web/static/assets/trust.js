// The page "Trusted connection": how to make this browser know the gateway.

import { asProblem, call } from './page/api.js';
import { busy, byId, complain, fill, show, toggle, write } from './page/view.js';
import { who } from './devices/session.js';
import { grouped, platform } from './trust/platform.js';

let session;

function draw({ enabled, fingerprint = '' }) {
  toggle(byId('enable'), session.owner);
  toggle(byId('ask-owner'), !session.owner);
  write(byId('fingerprint'), grouped(fingerprint));
  show(enabled ? 'steps' : 'off');
}

async function enter() {
  try {
    session = who(await call('GET', '/auth/session'));
    fill(document.body, { gateway: session.gateway });
    draw(await call('GET', '/api/trust'));
  } catch (thrown) {
    failed(asProblem(thrown));
  }
}

function failed(problem) {
  if (problem.status === 401) {
    show('signedout');
    return;
  }
  show('failed');
  complain(byId('problem'), problem);
}

byId('enable').addEventListener('click', () => busy(byId('enable'), async () => {
  try {
    draw(await call('POST', '/api/trust', {}));
  } catch (thrown) {
    failed(asProblem(thrown));
  }
}));

byId(`on-${platform(navigator)}`).open = true;
show('loading');
enter();
