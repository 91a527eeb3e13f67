// The quota of a seller's operations, read again every two seconds while a person looks at it.
import {accountPath, ask} from '../api/edge.js';
import {setThrottled, store} from '../sellers/store.js';
import {card, element, fill} from '../shell/elements.js';
import {tried} from '../shell/notices.js';
import {rateWords} from '../shell/words.js';
import {chart} from './charts.js';
import {isUsed, keepSample, samplesOf} from './samples.js';
import {recentCalls} from './recent.js';

const MILLISECONDS = 2000;
const SOURCES = {CATALOGUE: 'published', HEADER: 'reported by Amazon', BACKOFF: 'lowered after 429'};
const UNUSABLE = new Set(['ACCOUNT_INACTIVE', 'AUTHORIZATION_REVOKED']);

/** Return the card of the quotas of an account. */
export function quotasCard(id, signal) {
  const throttled = element('p', {id: 'throttled', class: 'warning', hidden: true});
  const list = element('ul', {id: 'quotas', class: 'quotas'});
  const rows = new Map();
  let timer = 0;
  const words = element('p', {class: 'soft'}, 'The calls that are left now, and since this page was opened, at most five minutes ago. Operations in use come first.');
  const place = card('Quota and usage', element('div', {class: 'quota-state'}, words, throttled), list);
  const say = (sentence) => {
    fill(throttled, sentence);
    words.hidden = Boolean(sentence);
  };

  async function read() {
    if (!document.hidden && store.accounts.get(id)?.state === 'ACTIVE') {
      await tried(async () => draw((await ask('GET', accountPath(id, `/quotas${called()}`))).quotas),
        (error) => say(UNUSABLE.has(error.reason) ? '' : error.sentence));
    }
    if (!signal.aborted) timer = setTimeout(read, MILLISECONDS);
  }

  /** Name the operations that this tab called, beside the common ones. */
  function called() {
    const names = [...new Set(recentCalls(id).map((call) => call.operation).filter((name) => name.includes('/')))];
    const wanted = [...new Set([...names.slice(0, 8), ...rows.keys()])].slice(0, 20);
    return rows.size && names.length ? `?${new URLSearchParams(wanted.map((name) => ['operation', name]))}` : '';
  }

  function draw(quotas) {
    if (signal.aborted) return;
    keepSample(id, quotas);
    const isFirst = !rows.size;
    const order = isFirst ? [...quotas].sort((a, b) => isUsed(id, b) - isUsed(id, a)) : quotas;
    for (const quota of order) {
      if (!rows.has(quota.operation)) {
        rows.set(quota.operation, quotaRow(quota.operation));
        list[isFirst ? 'append' : 'prepend'](rows.get(quota.operation).row);
      }
      rows.get(quota.operation).draw(quota, samplesOf(id, quota.operation));
    }
    const out = quotas.filter((quota) => quota.remaining < 1).map((quota) => quota.operation);
    setThrottled(id, out.length > 0);
    say(out.length ? `No call is left for now: ${out.map((name) => name.split('/').pop()).join(', ')}.` : '');
  }

  signal.addEventListener('abort', () => clearTimeout(timer));
  return {
    place,
    first: read(),
    draw: (account) => { place.hidden = account.state !== 'ACTIVE'; },
  };
}

function quotaRow(operation) {
  const api = operation.split('/');
  const operationId = api.pop();
  const rate = element('span', {class: 'rate'});
  const source = element('small', {class: 'soft'});
  const fullness = element('span');
  const bar = element('div', {class: 'bar', role: 'meter', 'aria-valuemin': '0', 'aria-label': `Calls left for ${operation}`}, fullness);
  const over = chart(`Calls left for ${operation}`);
  const row = element('li', {},
    element('div', {class: 'words'}, element('span', {class: 'name'}, operationId), source),
    element('div', {class: 'meter'}, rate, bar), over.image);
  return {
    row,
    draw: (quota, samples) => {
      const share = quota.burst ? Math.min(1, quota.remaining / quota.burst) : 0;
      rate.textContent = `${quota.remaining} of ${quota.burst}`;
      source.textContent = `${api.join(' ')} · ${rateWords(quota.rate)}, ${SOURCES[quota.source] ?? ''}`;
      bar.setAttribute('aria-valuemax', quota.burst);
      bar.setAttribute('aria-valuenow', quota.remaining);
      bar.classList.toggle('low', quota.remaining < 1);
      fullness.style.setProperty('--share', share);
      over.show(samples);
    },
  };
}
