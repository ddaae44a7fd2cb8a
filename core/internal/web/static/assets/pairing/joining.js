// Joining another gateway from this one, as a state machine: every event gives
// the next state, and nothing here touches the page.
//
//   asking -> connecting -> pin <-> proving -> paired
//                  \_________\_________\____-> failed

import { Problem } from '../page/api.js';

/** The state before anything was typed. */
export const start = Object.freeze({ view: 'asking', problem: null });

/** The gateway began to look for the one that a link or an address names. */
export function begun(answer) {
  return { view: 'connecting', id: answer.id, turn: 0, gateway: null, problem: null };
}

/** The gateway would not try: the person can mend what they typed. */
export function refused(problem) {
  return { view: 'asking', problem };
}

const VIEWS = { connecting: 'connecting', pin_needed: 'pin', proving: 'proving', paired: 'paired', failed: 'failed' };

/**
 * The gateway said how far it has come; turn is the state's turn at the time of
 * asking. An answer from before the number was given says nothing any more.
 */
export function polled(state, answer, turn) {
  const view = VIEWS[answer.state];
  if (!watching(state) || !view || turn !== state.turn || state.view === 'sending') return state;
  // Nothing has happened, and what is said about the number stays.
  if (view === 'pin' && state.view === 'pin') return state;
  const said = answer.error ? new Problem({ error: answer.error, code: answer.code ?? 'internal' }) : null;
  return { ...state, view, problem: said, gateway: answer.device?.name || state.gateway || 'the other device' };
}

/** The person gave the number. */
export function entered(state) {
  return { ...state, view: 'sending', turn: state.turn + 1, problem: null };
}

/** The gateway took the number. */
export function accepted(state) {
  return state.view === 'sending' ? { ...state, view: 'proving', turn: state.turn + 1 } : state;
}

/** The gateway would not take the number. */
export function rejected(state, problem) {
  return { ...state, view: 'pin', problem };
}

/** The gateway could not be asked. One that no longer knows of it has ended it. */
export function missed(state, problem) {
  if (watching(state) && problem.code === 'not_found') return { ...state, view: 'failed', problem };
  return state;
}

/** Whether there is still something to ask the gateway about. */
export function watching(state) {
  return ['connecting', 'pin', 'sending', 'proving'].includes(state.view);
}
