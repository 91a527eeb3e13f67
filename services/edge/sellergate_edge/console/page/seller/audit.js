// The audit trail of a seller: what was done to it, when, and by which program and user.
import {accountPath, ask} from '../api/edge.js';
import {session} from '../session/session.js';
import {card, element, fill} from '../shell/elements.js';
import {tried} from '../shell/notices.js';
import {momentWords} from '../shell/words.js';

const SHOWN = 20;
const ACTIONS = {
  'account.created': 'Connected', 'account.updated': 'Changed', 'account.activated': 'Connected again', 'account.deactivated': 'Disconnected',
  'refresh_token.rotated': 'Refresh token renewed by Amazon', 'authorization.verified': 'Accepted by Amazon',
  'authorization.revoked': 'Refused by Amazon', 'authorization.restored': 'Accepted by Amazon again', 'secrets.read': 'Refresh token used',
  'calls.captured': 'Calls captured', 'client.handle_issued': 'SDK client created', 'audit.broken_end': 'The trail was altered',
};
const CALLERS = {edge: 'Sellergate’s API', token: 'token service', gateway: 'gateway', iam: 'iam service', operator: 'operator'};

/** Return the card of the audit trail. `draw()` reads the newest events; it is called after each change. */
export function auditCard(id, signal, {allUsers = ''} = {}) {
  const fault = element('p', {class: 'error', role: 'alert', hidden: true});
  const more = element('button', {type: 'button', class: 'quiet small', hidden: true, onclick: () => read(next)}, 'Show older events');
  const list = element('ol', {class: 'audit'});
  const rows = new Map();
  let next = '';

  async function read(pageToken = '') {
    await tried(async () => {
      const page = await ask('GET', accountPath(id, '/audit-events'), {pageSize: SHOWN, pageToken, allUsers});
      if (signal.aborted) return;
      if (pageToken || !rows.size) next = page.nextPageToken;
      for (const event of page.events) rows.set(event.sequence, rows.get(event.sequence) ?? row(event));
      const order = [...rows.keys()].sort((first, second) => second - first);
      list.replaceChildren(...order.map((sequence) => rows.get(sequence)));
      more.hidden = !next;
      fill(fault, '');
    }, (error) => fill(fault, error.sentence));
  }

  return {place: card('Audit trail', fault, list, more), draw: () => read()};
}

function row(event) {
  const {by, words} = actorOf(event);
  return element('li', {},
    element('p', {}, element('strong', {class: event.action === 'secrets.read' ? 'soft' : null, title: event.action}, ACTIONS[event.action] ?? event.action),
      element('span', {class: 'soft'}, ` · ${by}`)),
    element('time', {datetime: event.createTime}, momentWords(event.createTime)),
    element('p', {class: 'soft small'}, [event.subject, words].filter(Boolean).map((one) => element('span', {}, one)),
      event.requestId && element('span', {}, 'request ', element('code', {}, event.requestId))));
}

/** Return the actor of an event with its details in words. A capture names its actor in its details. */
function actorOf({action, caller, userId, detail}) {
  const captured = action === 'calls.captured' && /^(.*), by (\S+?)(?: for (.+))?$/.exec(detail);
  const [words, program, user] = captured ? captured.slice(1) : [detail.replaceAll(',', ', '), caller, userId];
  return {words, by: user === session.user ? 'you' : user || CALLERS[program] || program};
}
