// The page "My Devices": for the owner the devices and the signed-in browsers,
// for a paired phone sending and the devices it may see.

import { asProblem, call } from './page/api.js';
import { repeat } from './page/repeat.js';
import { busy, byId, complain, fill, show, shown, toggle } from './page/view.js';
import { browsersPanel } from './devices/browsers.js';
import { devicesPanel } from './devices/panel.js';
import { sendPanel } from './sending/panel.js';
import { mayUpload, who } from './devices/session.js';

const PAUSE = 5000; // milliseconds between two looks at the devices

let stop = () => {};

/** Shows who is not, or no longer, let in. */
function signedOut() {
  stop();
  toggle(byId('sign-out'), false);
  show('signedout');
}

const failed = (problem) => {
  if (problem.status !== 401) return false;
  signedOut();
  return true;
};

const devices = devicesPanel({ failed });
const browsers = browsersPanel({ failed });
const sending = sendPanel({ failed });

async function enter() {
  try {
    welcome(who(await call('GET', '/auth/session')));
  } catch (thrown) {
    const problem = asProblem(thrown);
    if (failed(problem)) return;
    show('unreachable');
    complain(byId('unreachable-problem'), problem);
  }
}

function welcome(session) {
  const { owner, gateway } = session;
  document.title = `My Devices · ${gateway}`;
  fill(document.body, { gateway });
  toggle(byId('sign-out'), owner);
  toggle(byId('add'), owner);
  toggle(byId('browsers'), owner);
  show('home');
  let misses = 0;
  stop = repeat(PAUSE, async () => {
    const answered = await refresh(session);
    misses = answered ? 0 : misses + 1;
    toggle(byId('lost'), misses >= 2);
    return shown() === 'home';
  });
}

/** Looks at everything once; false when the gateway did not answer. */
async function refresh(session) {
  try {
    const self = await here(session);
    if (shown() !== 'home') return true;
    sending.offer(!session.owner && mayUpload(session) && self.capabilities.includes('media.storage'));
    await Promise.all([devices.refresh(self, session.owner), session.owner && browsers.refresh()]);
    return true;
  } catch (thrown) {
    const problem = asProblem(thrown);
    if (failed(problem)) return true;
    if (problem.code === 'offline') return false;
    complain(byId('devices-problem'), problem);
    return true;
  }
}

/** What is known about the gateway that serves this page. */
async function here({ owner, gateway }) {
  const [health, identity] = await Promise.all([
    call('GET', '/health'),
    owner ? call('GET', '/api/node/identity') : null,
  ]);
  return {
    id: identity?.id ?? health.node_id,
    name: identity?.name ?? gateway,
    capabilities: health.capabilities ?? [],
    titles: health.metadata ?? {},
  };
}

byId('sign-out').addEventListener('click', () => busy(byId('sign-out'), async () => {
  try {
    await call('DELETE', '/auth/session');
    signedOut();
  } catch (thrown) {
    const problem = asProblem(thrown);
    if (!failed(problem)) complain(byId('devices-problem'), problem);
  }
}));
byId('try-again').addEventListener('click', () => busy(byId('try-again'), enter));

show('loading');
enter();
