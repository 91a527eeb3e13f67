// The recent calls of a seller, from every program, while they are captured. They are read again while the capture is running.
import {accountPath, ask} from '../api/edge.js';
import {card, element, fill} from '../shell/elements.js';
import {tried} from '../shell/notices.js';
import {clockWords, msWords} from '../shell/words.js';
import {statusKind} from './calls.js';
import {facts} from './facts.js';

const MILLISECONDS = 2000;
const MINUTES = 10;
const SHOWN = 50;
const NONE = 'Calls are listed here only while they are captured: from the start of a capture on, those of every program, without their contents.';

/** Return the card of the recent calls of an account. `changed()` is called after a capture began, which the audit trail records. */
export function capturedCard(id, signal, {changed, allUsers = ''}) {
  const state = element('p', {class: 'soft', role: 'status'}, NONE);
  const fault = element('p', {class: 'error', role: 'alert', hidden: true});
  const start = element('button', {type: 'button', onclick: () => set('PUT', {seconds: MINUTES * 60})}, `Capture calls for ${MINUTES} minutes`);
  const stop = element('button', {type: 'button', hidden: true, onclick: () => set('DELETE')}, 'Stop the capture');
  const more = element('button', {type: 'button', class: 'quiet small', hidden: true, onclick: () => older()}, 'Show older calls');
  const list = element('ol', {class: 'calls', hidden: true});
  const rows = new Map();
  let timer = 0;
  let next = '';

  async function set(method, body = undefined) {
    fill(fault, '');
    await tried(async () => {
      await ask(method, accountPath(id, '/capture'), {allUsers}, body);
      await Promise.all([read(), method === 'PUT' && changed()]);
      (method === 'PUT' ? stop : start).focus();
    }, (error) => fill(fault, error.sentence));
  }

  async function read() {
    clearTimeout(timer);
    let isRunning = !stop.hidden;
    if (!document.hidden) {
      await tried(async () => {
        const page = await ask('GET', accountPath(id, '/calls'), {pageSize: SHOWN, allUsers});
        if (signal.aborted) return;
        isRunning = Boolean(page.captureExpireTime);
        draw(page);
      }, (error) => fill(fault, error.sentence));
    }
    if (isRunning && !signal.aborted) timer = setTimeout(read, MILLISECONDS);
  }

  function draw(page) {
    const isRunning = Boolean(page.captureExpireTime);
    start.hidden = isRunning;
    stop.hidden = !isRunning;
    if (!rows.size) next = page.nextPageToken;
    for (const call of page.calls.toReversed()) {
      if (rows.has(keyOf(call))) continue;
      rows.set(keyOf(call), callRow(call));
      list.prepend(rows.get(keyOf(call)));
    }
    show();
    const words = isRunning ? `Calls of every program are captured until ${clockWords(page.captureExpireTime)}.`
      : rows.size ? 'The capture has ended. Its calls are kept for an hour.' : NONE;
    if (state.textContent !== words) state.textContent = words;
  }

  async function older() {
    await tried(async () => {
      const page = await ask('GET', accountPath(id, '/calls'), {pageSize: SHOWN, pageToken: next, allUsers});
      for (const call of page.calls) {
        if (rows.has(keyOf(call))) continue;
        rows.set(keyOf(call), callRow(call));
        list.append(rows.get(keyOf(call)));
      }
      next = page.nextPageToken;
      show();
    }, (error) => fill(fault, error.sentence));
  }

  function show() {
    list.hidden = !rows.size;
    more.hidden = !next;
  }

  signal.addEventListener('abort', () => clearTimeout(timer));
  const place = card('Recent calls', element('div', {class: 'captured'}, state, element('p', {class: 'actions'}, start, stop)), fault, list, more);
  return {place, first: read()};
}

/** Return what identifies a call: a call that was retried has one request ID and several times. */
const keyOf = (call) => `${call.requestId} ${call.startTime}`;

function callRow(call) {
  const [operation, ...api] = (call.operation || call.path).split('/').reverse();
  const known = facts({
    API: call.operation && api.reverse().join(' '),
    Path: element('code', {}, call.path),
    Query: call.queryNames.join(', '),
    'No response': call.failure,
    Error: call.error && element('code', {}, call.error),
    'Amazon request': call.amazonRequestId && element('code', {}, call.amazonRequestId),
    'Sellergate request': element('code', {}, call.requestId),
  });
  return element('li', {},
    element('time', {datetime: call.startTime}, clockWords(call.startTime)),
    element('details', {}, element('summary', {}, `${call.method} ${operation}`), known),
    element('span', {class: `state ${call.status ? statusKind(call.status) : 'bad'}`}, call.status ?? 'no response'),
    element('span', {class: 'ms'}, msWords(call.ms)));
}
