// The response to a call: status, time, the headers that say something, and the body in a readable form.
import {statusKind} from '../seller/calls.js';
import {element} from '../shell/elements.js';
import {chip, msWords, numberWords} from '../shell/words.js';

const HIGHLIGHTED = 100_000;
const SHOWN = 1_000_000;
const TOKENS = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;
const TELLING = {
  'x-amzn-requestid': 'Amazon request', 'x-request-id': 'Sellergate request', 'x-amzn-ratelimit-limit': 'Rate limit',
  'retry-after': 'Retry after', 'content-type': 'Content type',
};

/** Return a response as elements. */
export function responseView({status, headers, text, ms}) {
  const pretty = prettified(text);
  const known = headers.filter(([name]) => name in TELLING);
  const body = element('pre', {class: 'body', tabindex: '0', role: 'region', 'aria-label': 'Body of the response'}, text ? highlighted(pretty.slice(0, SHOWN)) : 'The body is empty.');
  const rest = pretty.length > SHOWN ? element('p', {class: 'soft'}, `The first ${numberWords(SHOWN)} of ${numberWords(pretty.length)} characters.`) : null;
  return [
    element('p', {class: 'result'}, chip(String(status), statusKind(status)), element('strong', {}, msWords(ms)),
      element('span', {class: 'soft'}, `${numberWords(new Blob([text]).size)} bytes`),
      text && element('button', {type: 'button', class: 'quiet small', onclick: (event) => copy(event.target, pretty)}, 'Copy the body')),
    element('dl', {class: 'facts'}, known.flatMap(([name, value]) => [element('dt', {}, TELLING[name]), element('dd', {}, element('code', {}, value))])),
    element('details', {class: 'more'}, element('summary', {}, `All headers (${headers.length})`),
      element('dl', {class: 'facts'}, headers.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, element('code', {}, value))]))),
    body, rest,
  ];
}

/** Copy a text and confirm it on the button. */
export async function copy(button, text) {
  const words = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'The browser did not copy';
  }
  setTimeout(() => { button.textContent = words; }, 1500);
}

function prettified(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Return the parts of a JSON text, with its names, strings, numbers and words marked. */
function highlighted(text) {
  if (text.length > HIGHLIGHTED) return [text];
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(TOKENS)) {
    const [whole, string, colon, word] = found;
    const token = string ?? whole;
    const kind = string ? (colon ? 'key' : 'string') : word ? 'word' : 'digits';
    parts.push(text.slice(end, found.index), element('span', {class: kind}, token));
    end = found.index + token.length;
  }
  return [...parts, text.slice(end)];
}
