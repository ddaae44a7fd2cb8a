// The page "Add a device": a code for a phone to scan, or joining another
// gateway from here. Only one of the two goes on at a time.

import { shown, show, toggle, byId } from './page/view.js';
import { parseRepair } from './pairing/link.js';
import { joinPanel } from './pairing/joinpanel.js';
import { showPanel } from './pairing/showpanel.js';

const other = byId('other');

const signedOut = () => display('signedout');
const showing = showPanel({ display, signedOut, repair: parseRepair(location.hash) });
joinPanel({ display, signedOut, begin: showing.leave });

function display(view) {
  show(view);
  toggle(other, ['open', 'ended'].includes(view));
}

for (const again of document.querySelectorAll('[data-again]')) again.addEventListener('click', showing.begin);
// Nobody sees the number any more, so nobody shall be able to use it.
addEventListener('pagehide', showing.leave);
addEventListener('pageshow', (event) => {
  if (event.persisted && shown() !== 'signedout') showing.begin();
});

show('loading');
showing.begin();
