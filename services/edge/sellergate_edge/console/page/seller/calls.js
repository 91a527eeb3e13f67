// The recent calls of a seller, as far as this tab made them.
import {card, element, table} from '../shell/elements.js';
import {clockWords, msWords} from '../shell/words.js';
import {onCall, recentCalls} from './recent.js';

const SHOWN = 20;

/** Return the kind of a chip for an HTTP status. */
export function statusKind(status) {
  return status >= 200 && status < 300 ? 'good' : status === 429 || (status >= 300 && status < 400) ? 'warn' : 'bad';
}

/** Return the card of the calls; without an account it is for all. */
export function callsCard(account, signal) {
  const body = element('div', {});
  const draw = () => {
    const calls = recentCalls(account).slice(0, SHOWN);
    body.replaceChildren(calls.length ? tableOf(calls) : element('p', {class: 'soft'}, 'No call was made from this tab yet. Calls of your programs are not listed here.'));
  };
  onCall(draw, signal);
  draw();
  return card('Calls from this tab', body);
}

function tableOf(calls) {
  const rows = calls.map((call) => element('tr', {},
    element('td', {}, clockWords(call.time)),
    element('td', {class: 'name'}, `${call.method} ${call.operation}`.trim()),
    element('td', {}, element('span', {class: `state ${statusKind(call.status)}`}, call.status || 'no response')),
    element('td', {class: 'number'}, msWords(call.ms))));
  return table('Calls', ['Time', 'Call', 'Status', 'Duration'], rows).place;
}
