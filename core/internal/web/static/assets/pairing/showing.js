// Showing a code for another device to scan, as a state machine: every event
// gives the next state, and nothing here touches the page.
//
//   starting -> open -> claimed -> paired
//        \________\________\____-> ended

import { Problem } from '../page/api.js';

/** The state before the gateway has opened a window. */
export const start = Object.freeze({ view: 'starting' });

/** The window is open: what the gateway answered, and how far its clock is ahead. */
export function opened(answer, ahead = 0) {
  return { view: 'open', code: answer.code, link: answer.link, expires: answer.expires_at, ahead, misses: 0 };
}

/** The gateway would not open a window. */
export function refused(problem) {
  return { view: 'ended', problem };
}

const ENDINGS = {
  expired: { error: 'This code has expired. Show a new one.', code: 'expired' },
  failed: { error: 'Pairing was stopped. Start again when you’re ready.', code: 'conflict' },
};

/** The gateway said how the window stands. */
export function polled(state, answer) {
  if (!watching(state)) return state;
  switch (answer.state) {
    case 'open':
      return { ...state, view: 'open', misses: 0 };
    case 'claimed':
      // The code is used up: neither it nor the link may stay on the screen.
      return { view: 'claimed', code: state.code, pin: answer.pin, device: name(answer), misses: 0 };
    case 'paired':
      return { view: 'paired', device: name(answer) };
    case 'expired':
    case 'failed':
      return refused(new Problem({ ...ENDINGS[answer.state], ...(answer.error && { error: answer.error }) }));
    default:
      return state;
  }
}

/** The gateway could not be asked. One that no longer knows the window has ended it. */
export function missed(state, problem) {
  if (!watching(state)) return state;
  if (problem.code === 'not_found') return refused(new Problem(ENDINGS.expired));
  return { ...state, misses: state.misses + 1 };
}

/** The owner stopped it. */
export function cancelled() {
  return refused(new Problem(ENDINGS.failed));
}

/** Whether there is still something to ask the gateway about. */
export function watching(state) {
  return state.view === 'open' || state.view === 'claimed';
}

/** Whether to say that the gateway does not answer: one lost answer is nothing. */
export function lost(state) {
  return (state.misses ?? 0) >= 3;
}

function name(answer) {
  return answer.device?.name || 'A device';
}
