// Joining from a phone's browser, as a state machine: every event gives the
// next state, and nothing here touches the page.
//
//   naming <-> claiming -> pin <-> verifying -> done
//        \_________\________\_________\______-> ended

/** The state after the page was opened; link is null when it brought no code. */
export function opened(link) {
  return link ? { view: 'naming', link, problem: null } : { view: 'nolink' };
}

/** The state after a reload: a device that has claimed goes on with the number. */
export function resumed(kept) {
  if (!kept?.link?.code || !kept.link.linkingCode) return null;
  if (!kept.gateway) return opened(kept.link);
  return { view: 'pin', link: kept.link, name: kept.name, gateway: kept.gateway, problem: null };
}

/** What a reload needs; null once there is nothing to go on with. */
export function kept(state) {
  const { link, name, gateway } = state;
  if (!link || state.view === 'done' || state.view === 'ended') return null;
  return gateway ? { link, name, gateway } : { link };
}

/** The person said what this device is called. */
export function named(state, name) {
  return { ...state, view: 'claiming', name, problem: null };
}

/** The gateway has let this device try, and shows the number. */
export function claimed(state, answer) {
  return { ...state, view: 'pin', gateway: answer.gateway?.name || 'the other device', problem: null };
}

/** The person typed the number. */
export function entered(state) {
  return { ...state, view: 'verifying', problem: null };
}

/** The number was right. */
export function verified(state) {
  return { view: 'done', gateway: state.gateway };
}

// Kinds of failure after which this code is of no more use.
const FINAL = {
  claiming: new Set(['expired', 'not_found']),
  verifying: new Set(['expired', 'not_found', 'conflict']),
};

const BACK = { claiming: 'naming', verifying: 'pin' };

/** A call failed: it can be tried again, or this code has had its day. */
export function failed(state, problem) {
  if (FINAL[state.view]?.has(problem.code)) return { view: 'ended', problem };
  return { ...state, view: BACK[state.view] ?? state.view, problem };
}
