// A call of SP-API through the pass-through endpoint, as the user.
import {accountPath, ROOT} from '../api/edge.js';
import {session} from '../session/session.js';

const SECONDS = 60;

/** Return the request for an operation and filled-in values. Throws an Error that names what is missing. */
export function requestOf(operation, accountId, values) {
  const path = operation.path.replaceAll(/\{([^}]+)\}/g, (_, name) => {
    if (!values.path[name]) throw new Error(`Fill in ${name}.`);
    return encodeURIComponent(values.path[name]);
  });
  if (values.body) {
    try {
      JSON.parse(values.body);
    } catch (error) {
      throw new Error(`The body is no JSON document: ${error.message}.`, {cause: error});
    }
  }
  const query = new URLSearchParams(values.query);
  return {
    method: operation.method,
    url: `${ROOT}${accountPath(accountId, '/sp-api')}${path}${query.size ? `?${query}` : ''}`,
    headers: {
      ...(values.body && {'Content-Type': 'application/json'}),
      ...(values.sandbox && {'x-sellergate-sandbox': values.sandbox}),
      ...(Number(values.wait) > 0 && {'x-sellergate-max-wait': values.wait}),
    },
    body: values.body || undefined,
  };
}

/** Send a request; return status, headers, text and milliseconds. Throws where there is no response. */
export async function send(request) {
  const started = performance.now();
  const response = await fetch(request.url, {
    method: request.method,
    headers: {...request.headers, Authorization: `Bearer ${session.token}`},
    body: request.body,
    signal: AbortSignal.timeout(SECONDS * 1000),
  });
  const text = await response.text();
  return {status: response.status, headers: [...response.headers], text, ms: performance.now() - started};
}

/** Return the request as a command for a shell. The token is a variable: no secret is copied. */
export function asCommand(request) {
  const quoted = (words) => `'${words.replaceAll("'", "'\\''")}'`;
  const headers = Object.entries(request.headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  const parts = [
    `curl -X ${request.method} ${quoted(location.origin + request.url)}`, '-H "Authorization: Bearer $TOKEN"', ...headers,
    ...(request.body ? [`-d ${quoted(request.body)}`] : []),
  ];
  return parts.join(' \\\n  ');
}
