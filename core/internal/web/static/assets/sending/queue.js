// Files on their way to the gateway, one after the other, as a list of plain
// records. Nothing here touches the page.

import { size } from '../page/words.js';

/** Adds files to the end; nextKey makes a key for each. */
export function add(queue, files, nextKey) {
  return [
    ...queue,
    ...[...files].map((file) => ({
      key: nextKey(), file, name: file.name || 'Untitled', size: file.size, state: 'waiting', sent: 0, tries: 0, problem: null,
    })),
  ];
}

/** The file to send now, or null while one is under way or none waits. */
export function ready(queue) {
  if (queue.some((one) => one.state === 'sending')) return null;
  return queue.find((one) => one.state === 'waiting') ?? null;
}

/** Changes the record of this key. */
function change(queue, key, fn) {
  return queue.map((one) => (one.key === key ? { ...one, ...fn(one) } : one));
}

/** Sending has begun. */
export function began(queue, key) {
  return change(queue, key, (one) => ({ state: 'sending', sent: 0, tries: one.tries + 1, problem: null }));
}

/** So many of the file's bytes have left. */
export function progressed(queue, key, sent) {
  return change(queue, key, (one) => (one.state === 'sending' ? { sent: Math.min(sent, one.size) } : {}));
}

/** How often a file that changed on the way is sent before giving up. */
export const MAX_TRIES = 3;

/**
 * The gateway has answered: stored is what it says it keeps, and hash the file's
 * SHA-256 as computed here, or null where that was not possible. Only what is
 * the same on both sides has arrived.
 */
export function arrived(queue, key, stored, hash) {
  return change(queue, key, (one) => {
    if (same(one, stored, hash)) return { state: 'arrived', sent: one.size };
    if (one.tries < MAX_TRIES) return { state: 'waiting', note: 'The file changed on the way. Sending again.' };
    return { state: 'failed', problem: { message: 'The file changed on the way.', reference: '' } };
  });
}

function same(one, stored, hash) {
  if (!stored || stored.size !== one.size || !/^[0-9a-f]{64}$/.test(stored.sha256 ?? '')) return false;
  return hash === null || hash === stored.sha256;
}

/** Sending failed. */
export function failed(queue, key, problem) {
  return change(queue, key, () => ({ state: 'failed', problem }));
}

/** The person wants it to be tried again. */
export function retry(queue, key) {
  return change(queue, key, (one) => (one.state === 'failed' ? { state: 'waiting', tries: 0, problem: null, note: '' } : {}));
}

/** The person does not want it any more. */
export function drop(queue, key) {
  return queue.filter((one) => one.key !== key);
}

/** How a file stands, in words. */
export function line(one) {
  switch (one.state) {
    case 'sending':
      return one.size > 0 && one.sent >= one.size ? 'Checking' : `${percent(one)} of ${size(one.size)}`;
    case 'arrived':
      return `Arrived, ${size(one.size)}`;
    case 'failed':
      return one.problem.message;
    default:
      return one.note || 'Waiting';
  }
}

function percent(one) {
  return `${one.size === 0 ? 0 : Math.floor((100 * one.sent) / one.size)} %`;
}

/** How all of them stand, in words; '' when there are none. */
export function summary(queue) {
  if (queue.length === 0) return '';
  const count = (state) => queue.filter((one) => one.state === state).length;
  const done = count('arrived');
  const broken = count('failed');
  const files = queue.length === 1 ? '1 file' : `${queue.length} files`;
  if (done === queue.length) return `${files} arrived`;
  if (broken > 0 && done + broken === queue.length) return `${done} of ${files} arrived, ${broken} not sent`;
  return `${done} of ${files} arrived`;
}

/** Whether leaving the page would lose something. */
export function unfinished(queue) {
  return queue.some((one) => one.state === 'sending' || one.state === 'waiting');
}
