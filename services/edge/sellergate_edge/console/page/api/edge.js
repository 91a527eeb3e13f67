// The edge's REST API, as the user that is signed in.
import {session} from '../session/session.js';
import {takeEarly} from './early.js';

const SECONDS = 35;
export const ROOT = '/api/amazon';

/** A refused request: `reason` to decide by, `sentence` for people. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.reason);
    this.status = status;
    this.reason = problem.reason ?? '';
    this.detail = problem.detail ?? 'The request failed. Try again.';
    this.stages = problem.stages;
    this.retryAfter = problem.retryAfter ?? 0;
    const wait = problem.retryAfter ? ` Try again in ${Math.max(1, Math.ceil(problem.retryAfter))} s.` : '';
    const request = problem.requestId ? ` (Request ${problem.requestId})` : '';
    this.sentence = `${this.detail}${wait}${request}`;
  }
}

/** Return the address of one account below /accounts. */
export function accountPath(id, rest = '') {
  return `/accounts/${encodeURIComponent(id)}${rest}`;
}

/** Ask the edge as the user. Empty parameters are left out; a refusal, and no response at all, is thrown as Refusal. */
export async function ask(method, path, query = {}, body = undefined) {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''));
  const url = `${ROOT}${path}${parameters.size ? `?${parameters}` : ''}`;
  return send(method, url, {Authorization: `Bearer ${session.token}`}, body);
}

/** Return all items of a list, page by page. `member` is the name of the list in a page. */
export async function askForAll(path, member) {
  const items = [];
  let pageToken = '';
  do {
    const page = await ask('GET', path, {pageSize: 500, pageToken});
    items.push(...page[member]);
    pageToken = page.nextPageToken;
  } while (pageToken);
  return items;
}

/** Ask the edge about signing in, without a session. */
export async function askSignIn(method, path = '', body = undefined) {
  return send(method, `/api/sign-in${path}`, {}, body);
}

async function send(method, url, headers, body) {
  let response;
  try {
    response = await (takeEarly(method, url, headers.Authorization) ?? fetch(url, {
      method,
      headers: {...headers, ...(body && {'Content-Type': 'application/json'})},
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(SECONDS * 1000),
    }));
  } catch {
    throw new Refusal(0, {detail: 'Sellergate cannot be reached. Check the connection and try again.'});
  }
  if (response.status === 204) return null;
  const document = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, document);
  return document;
}
