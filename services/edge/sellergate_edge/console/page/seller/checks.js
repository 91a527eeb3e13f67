// The checks of a seller with their stages.
import {accountPath, ask} from '../api/edge.js';
import {marketplaces} from '../connect/dialog.js';
import {card, element} from '../shell/elements.js';
import {tried} from '../shell/notices.js';
import {clockWords, msWords} from '../shell/words.js';
import {recordCall} from './recent.js';

const OUTCOMES = {OK: 'good', FAILED: 'bad', WARNING: 'warn', SKIPPED: 'off', CACHED: 'off'};
const CHECKS = {
  status: ['Checking the status …', (account) => ask('GET', '/test/status', {amazonAccountId: account.id})],
  orders: ['Asking Amazon for orders …', async (account) => ask('GET', '/test/orders', {
    amazonAccountId: account.id, marketplaceId: account.marketplaceIds[0] ?? (await marketplaces())[account.marketplace],
  })],
  verify: ['Asking Amazon for a token …', (account) => ask('POST', accountPath(account.id, '/verify'), {call: 'true'})],
};

/** Return the card of the checks. `run(kind)` runs one and shows its stages; `changed()` is called when it has ended. */
export function checksCard(account, changed, signal) {
  const result = element('div', {id: 'check', role: 'status'},
    element('p', {class: 'soft'}, 'No check was run since this page was opened. A check goes the way of a call and times each stage.'));
  const place = card('Checks', result);

  async function run(kind) {
    const [words, work] = CHECKS[kind];
    result.replaceChildren(element('p', {class: 'pulse'}, words));
    place.scrollIntoView({block: 'nearest'});
    const started = performance.now();
    await tried(async () => {
      const found = await work(account());
      const calls = kind === 'orders' ? `${found.orders.length} orders of the last 7 days` : verdict(found.stages);
      drawn(calls, found.stages, kind === 'orders' ? orderTable(found.orders) : null);
      record(kind, 200, started);
    }, (error) => {
      drawn(error.sentence, error.stages ?? []);
      record(kind, error.status, started);
    });
    if (!signal.aborted) await changed();
  }

  function record(kind, status, started) {
    recordCall({account: account().id, operation: `check of the ${kind}`, method: '', status, ms: performance.now() - started});
  }

  function drawn(words, stages, more = null) {
    const failed = stages.find((stage) => stage.outcome === 'FAILED');
    result.replaceChildren(element('h3', {class: failed || !stages.length ? 'verdict bad' : 'verdict'}, words),
      element('ul', {class: 'stages'}, stages.map(stageRow)), more ?? '', element('p', {class: 'soft small'}, `Checked at ${clockWords(Date.now())}.`));
  }
  return {place, run};
}

function stageRow(stage) {
  return element('li', {},
    element('strong', {}, stage.name),
    element('span', {class: `state ${OUTCOMES[stage.outcome] ?? 'off'}`}, outcomeWords(stage)),
    element('span', {class: 'why'}, stage.reason),
    element('span', {class: 'ms'}, msWords(stage.ms)));
}

function outcomeWords(stage) {
  if (stage.outcome !== 'CACHED') return stage.outcome.toLowerCase();
  const minutes = Math.round(stage.ageSeconds / 60);
  return stage.ageSeconds < 90 ? `from ${Math.round(stage.ageSeconds)} s ago` : `from ${minutes} min ago`;
}

/** Return what the stages of a check show together: only what was tried now and worked reads as working. */
export function verdict(stages) {
  if (stages.some((stage) => stage.outcome === 'FAILED')) return 'It does not work';
  const call = stages.find((stage) => stage.name === 'call');
  if (call?.outcome !== 'OK') return 'No call was made';
  const token = stages.find((stage) => stage.name === 'token');
  return token?.outcome === 'OK' ? 'It works' : 'The call works; the refresh token was not tried now';
}

/** Return the newest orders as a table, in the shape of either version of the Orders API. */
function orderTable(orders) {
  if (!orders.length) return null;
  const rows = orders.slice(0, 10).map((order) => element('tr', {},
    element('td', {}, String(order.orderId ?? order.AmazonOrderId ?? '')),
    element('td', {}, String(order.createdTime ?? order.PurchaseDate ?? '').slice(0, 16).replace('T', ' ')),
    element('td', {}, String(order.fulfillment?.fulfillmentStatus ?? order.OrderStatus ?? ''))));
  return element('div', {class: 'scrolls', tabindex: '0', role: 'region', 'aria-label': 'The first orders'},
    element('table', {}, element('thead', {}, element('tr', {}, ['Order', 'Created', 'Status'].map((words) => element('th', {scope: 'col'}, words)))),
      element('tbody', {}, rows)));
}
