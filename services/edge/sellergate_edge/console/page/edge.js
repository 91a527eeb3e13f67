// The edge's REST API, as the user who is signed in.

const KEY = 'sellergate-token';
const END = 'sellergate-end-session';
const SECONDS = 35;

/** A refusal: `reason` to decide by, `sentence` for people. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.reason);
    this.status = status;
    this.reason = problem.reason ?? '';
    this.detail = problem.detail ?? 'Something went wrong.';
    this.stages = problem.stages;
    const wait = problem.retryAfter ? ` Try again in ${Math.max(1, Math.ceil(problem.retryAfter))} s.` : '';
    const request = problem.requestId ? ` (Request ${problem.requestId})` : '';
    this.sentence = `${this.detail}${wait}${request}`;
  }
}

function payload(token) {
  const bytes = atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))));
}

/** Report whether a text can be a token: three parts, with claims in the middle one that name a user. */
export function looksRight(token) {
  try {
    return token.split('.').length === 3 && userOf(token) !== '';
  } catch {
    return false;
  }
}

/** Return the user whom a token names; the edge decides whether it is genuine. */
export function userOf(token) {
  return String(payload(token).sub ?? '');
}

/** The session of this tab. It is replaced by nothing: it ends first. */
export const session = {
  get token() {
    return sessionStorage.getItem(KEY);
  },
  get user() {
    return userOf(this.token);
  },
  get isOpen() {
    const token = this.token;
    return token !== null && looksRight(token);
  },
  /** Milliseconds that the token still lives. */
  get left() {
    const end = Number(payload(this.token).exp);
    return Number.isFinite(end) ? end * 1000 - Date.now() : 0;
  },
  /** Where the browser ends the provider's session too; empty: there is none. */
  get endUrl() {
    return sessionStorage.getItem(END) ?? '';
  },
  begin(token, endUrl = '') {
    sessionStorage.setItem(KEY, token);
    sessionStorage.setItem(END, endUrl);
  },
  end() {
    sessionStorage.removeItem(KEY);
    sessionStorage.removeItem(END);
  },
};

/** Ask the edge as the user. Empty parameters are left out; a refusal is thrown as Refusal, a silent edge too. */
export async function ask(method, path, query = {}, body = undefined) {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''));
  const url = `/api/amazon${path}${parameters.size ? `?${parameters}` : ''}`;
  return send(method, url, {Authorization: `Bearer ${session.token}`}, body);
}

/** Ask the edge about signing in, without a session yet. */
export async function askSignIn(method, path = '', body = undefined) {
  return send(method, `/api/sign-in${path}`, {}, body);
}

async function send(method, url, headers, body) {
  let response;
  try {
    response = await fetch(url, {
      method,
      headers: {...headers, ...(body && {'Content-Type': 'application/json'})},
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(SECONDS * 1000),
    });
  } catch {
    throw new Refusal(0, {detail: 'Sellergate cannot be reached. Check the connection and try again.'});
  }
  if (response.status === 204) return null;
  const document = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, document);
  return document;
}
