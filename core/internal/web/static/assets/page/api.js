// Calls of the gateway's API. Every failure becomes a Problem with a sentence
// that can be shown to a person.

const PATIENCE = 40_000; // milliseconds; the gateway itself gives up earlier

/** A failure in plain words. */
export class Problem extends Error {
  constructor({ error, code, hint = '', reference = '' }, status = 0) {
    super(error);
    this.name = 'Problem';
    this.code = code;
    this.hint = hint;
    this.reference = reference;
    this.status = status;
  }
}

const UNREACHABLE = {
  error: "Can't reach this gateway right now.",
  code: 'offline',
  hint: "Make sure it's on and that you're on the same network.",
};

const UNFORESEEN = { error: 'Something went wrong', code: 'internal' };

/** The Problem for an answer that is not a success; body is its decoded JSON, if any. */
export function problemFrom(status, body) {
  if (body && typeof body.error === 'string' && body.error !== '') {
    return new Problem({ ...body, code: String(body.code ?? 'internal') }, status);
  }
  return new Problem(UNFORESEEN, status);
}

/** The Problem for no answer at all. */
export function unreachable() {
  return new Problem(UNREACHABLE);
}

/** Makes any thrown thing a Problem. */
export function asProblem(thrown) {
  return thrown instanceof Problem ? thrown : new Problem(UNFORESEEN);
}

/** Decodes JSON, or returns null when it is none. */
export function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Sends one request and returns the decoded answer, null for an empty one.
 * With keepalive it is sent even if the page goes away meanwhile.
 */
export async function call(method, path, body, { keepalive = false } = {}) {
  const { answer } = await exchange(method, path, body, keepalive);
  return answer;
}

/** As call, and also says what time the gateway's clock shows. */
export async function callWithClock(method, path, body) {
  const { answer, response } = await exchange(method, path, body, false);
  const there = Date.parse(response.headers.get('Date') ?? '');
  return { answer, ahead: Number.isNaN(there) ? 0 : there - Date.now() };
}

async function exchange(method, path, body, keepalive) {
  const request = {
    method,
    keepalive,
    cache: 'no-store',
    credentials: 'same-origin',
    redirect: 'error',
    headers: { Accept: 'application/json' },
    signal: AbortSignal.timeout(PATIENCE),
  };
  if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers['Content-Type'] = 'application/json';
  }
  let response;
  let text;
  try {
    response = await fetch(path, request);
    text = await response.text();
  } catch {
    throw unreachable();
  }
  const answer = text === '' ? null : parse(text);
  if (!response.ok) throw problemFrom(response.status, answer);
  return { answer, response };
}
