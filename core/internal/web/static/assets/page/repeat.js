// Asking again and again, politely.

/**
 * Calls task now and then every `pause` milliseconds after it has finished,
 * until it returns false or stop() is called. A page that nobody sees waits
 * until it is seen again. task must not throw.
 */
export function repeat(pause, task, { timer = setTimeout, page = document } = {}) {
  let stopped = false;
  let waiting = false;

  async function round() {
    if (stopped) return;
    if (page.hidden) {
      waiting = true;
      return;
    }
    if ((await task()) === false) stop();
    else timer(round, pause);
  }

  function seen() {
    if (!waiting || page.hidden) return;
    waiting = false;
    round();
  }

  function stop() {
    stopped = true;
    page.removeEventListener('visibilitychange', seen);
  }

  page.addEventListener('visibilitychange', seen);
  round();
  return stop;
}
