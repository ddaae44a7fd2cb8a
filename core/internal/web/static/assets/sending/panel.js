// Sending files from this device to the gateway.

import { asProblem } from '../page/api.js';
import { byId, reconcile, stamp, toggle, write } from '../page/view.js';
import * as queue from './queue.js';
import { upload } from './upload.js';

/** Runs the panel; failed handles a problem that concerns the whole page. */
export function sendPanel({ failed }) {
  const panel = byId('send');
  const picker = byId('files');
  const aborts = new Map(); // by key, of what is under way
  let files = [];
  let keys = 0;

  /** Offers sending, or takes the offer back while nothing is on its way. */
  function offer(possible) {
    toggle(panel, possible || files.length > 0);
  }

  function go(next) {
    files = next;
    draw();
    const one = queue.ready(files);
    if (one) send(one);
  }

  async function send({ key, file }) {
    const abort = new AbortController();
    aborts.set(key, abort);
    go(queue.began(files, key));
    try {
      const { stored, hash } = await upload(file, {
        signal: abort.signal,
        onProgress: (sent) => go(queue.progressed(files, key, sent)),
      });
      go(queue.arrived(files, key, stored, hash));
    } catch (thrown) {
      const problem = asProblem(thrown);
      go(queue.failed(files, key, problem));
      failed(problem);
    } finally {
      aborts.delete(key);
    }
  }

  function draw() {
    reconcile(byId('uploads'), files, { key: (one) => one.key, create, update });
    write(byId('send-summary'), queue.summary(files));
  }

  function create({ key }) {
    const element = stamp('upload-row');
    element.querySelector('[data-part="retry"]').addEventListener('click', () => go(queue.retry(files, key)));
    element.querySelector('[data-part="drop"]').addEventListener('click', () => {
      aborts.get(key)?.abort();
      go(queue.drop(files, key));
      byId('send-title').focus();
    });
    return element;
  }

  picker.addEventListener('change', () => {
    go(queue.add(files, picker.files, () => `file-${(keys += 1)}`));
    picker.value = ''; // the same file can be chosen again
  });
  addEventListener('beforeunload', (event) => {
    if (queue.unfinished(files)) event.preventDefault();
  });
  return { offer };
}

function update(element, one) {
  const part = (name) => element.querySelector(`[data-part="${name}"]`);
  element.dataset.state = one.state;
  write(part('name'), one.name);
  write(part('line'), queue.line(one));
  write(part('reference'), one.problem?.reference ? `Reference ${one.problem.reference}` : '');
  toggle(part('progress'), one.state === 'sending');
  part('progress').value = one.size === 0 ? 0 : (100 * one.sent) / one.size;
  part('progress').setAttribute('aria-label', `Sending ${one.name}`);
  toggle(part('retry'), one.state === 'failed');
  write(part('drop'), one.state === 'arrived' ? 'Hide' : 'Cancel');
  part('drop').setAttribute('aria-label', `${one.state === 'arrived' ? 'Hide' : 'Cancel'} ${one.name}`);
}
