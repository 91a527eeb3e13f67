// The edge's REST API, as the user who is signed in.

const KEY = 'sellergate-token';
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

export const session = {
  get token() {
    return sessionStorage.getItem(KEY);
  },
  get user() {
    return String(payload(this.token).sub ?? '');
  },
  begin(token) {
    sessionStorage.setItem(KEY, token);
  },
  end() {
    sessionStorage.removeItem(KEY);
  },
  looksRight(token) {
    try {
      return token.split('.').length === 3 && typeof payload(token) === 'object';
    } catch {
      return false;
    }
  },
};

/** Ask the edge. Empty parameters are left out; a refusal is thrown as Refusal, a silent edge too. */
export async function ask(method, path, query = {}, body = undefined) {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''));
  const url = `/api/amazon${path}${parameters.size ? `?${parameters}` : ''}`;
  let response;
  try {
    response = await fetch(url, {
      method,
      headers: {
        Authorization: `Bearer ${session.token}`,
        ...(body && {'Content-Type': 'application/json'}),
      },
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
