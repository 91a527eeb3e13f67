// The API explorer: choose a seller and an operation, fill in its parameters, send the call and read the response.
import {ask} from '../api/edge.js';
import {callsCard} from '../seller/calls.js';
import {recordCall} from '../seller/recent.js';
import {predicate, fromQuery} from '../sellers/filters.js';
import {fetchAccount, load, setThrottled, store} from '../sellers/store.js';
import {element, fill} from '../shell/elements.js';
import {confirmed, tried} from '../shell/notices.js';
import {remember} from '../shell/router.js';
import {msWords, rateWords, stateChip} from '../shell/words.js';
import {combobox} from './combobox.js';
import {operationForm} from './form.js';
import {asCommand, requestOf, send} from './request.js';
import {copy, responseView} from './response.js';

const OFFERED = 30;

/** Show the explorer with the seller and operation of the address. */
export async function open(place, {query, signal, title}) {
  title('API explorer');
  let account = null;
  let operation = null;
  let form = null;
  const seller = combobox({
    label: 'Seller', placeholder: 'Search by seller ID', words: nameOf, choose: (one) => { account = one; changed(); },
    search: async (text) => {
      tried(load, () => {});
      const passes = predicate(fromQuery(new URLSearchParams({q: text})));
      return [...store.accounts.values()].filter(passes).slice(0, OFFERED);
    },
    draw: (one) => [element('span', {}, nameOf(one)), stateChip(one.state)],
  });
  const operations = combobox({
    label: 'Operation', placeholder: 'Search by name or path, as in searchOrders', words: (one) => one.name,
    choose: (one) => { operation = one; changed(); },
    search: (text) => tried(async () => (await ask('GET', '/operations', {search: text, pageSize: OFFERED})).operations),
    draw: (one) => [method(one.method), element('span', {}, element('strong', {}, one.name), element('small', {class: 'soft'}, one.path))],
  });
  const about = element('div', {class: 'about'});
  const fields = element('div', {});
  const fault = element('p', {class: 'error', role: 'alert', hidden: true});
  const button = element('button', {type: 'submit', class: 'main', disabled: true}, 'Send');
  const command = element('button', {type: 'button', class: 'quiet', disabled: true, onclick: () => prepared((request) => copy(command, asCommand(request)))}, 'Copy as curl');
  const response = element('div', {id: 'response'}, element('p', {class: 'soft'}, 'Send a call to see Amazon’s response.'));
  const spoken = element('p', {class: 'spoken', role: 'status'});
  place.append(
    element('header', {class: 'row'}, element('h1', {tabindex: '-1'}, 'API explorer'), element('a', {class: 'button', href: '/docs'}, 'REST API')),
    element('div', {class: 'explorer'},
      element('form', {class: 'card', 'aria-label': 'Call', onsubmit: (event) => { event.preventDefault(); prepared(call); }},
        seller.place, operations.place, about, fields, fault, element('div', {class: 'actions'}, button, command)),
      element('div', {class: 'column'},
        element('section', {class: 'card', 'aria-labelledby': 'response-title'}, element('h2', {id: 'response-title'}, 'Response'), spoken, response),
        callsCard('', signal))),
  );
  await chosenBefore();

  async function chosenBefore() {
    const [id, name] = [query.get('account'), query.get('operation')];
    const [one, found] = await Promise.all([
      id && tried(() => fetchAccount(id)),
      name && tried(async () => (await ask('GET', '/operations', {search: name, pageSize: 500})).operations.find((other) => other.name === name)),
    ]);
    if (signal.aborted) return;
    if (one) seller.set(account = one);
    if (found) operations.set(operation = found);
    changed();
  }

  function changed() {
    const chosen = {...(account && {account: account.id}), ...(operation && {operation: operation.name})};
    remember(`/console/explorer${account || operation ? `?${new URLSearchParams(chosen)}` : ''}`);
    form = operation && operationForm(operation, account);
    fields.replaceChildren(...(form ? [form.place] : []));
    about.replaceChildren(...(operation ? describe(operation) : []));
    button.disabled = command.disabled = !account || !operation;
    fill(fault, '');
  }

  function prepared(next) {
    fill(fault, '');
    try {
      return next(requestOf(operation, account.id, form.values()));
    } catch (error) {
      return fill(fault, error.message);
    }
  }

  async function call(request) {
    const words = {title: `Send ${operation.method} to Amazon?`, text: `${operation.name} can change data of ${nameOf(account)}.`, action: 'Send'};
    if (!['GET', 'HEAD'].includes(operation.method) && form.values().sandbox !== 'true' && !await confirmed(words)) return;
    const made = {account: account.id, operation: operation.name, method: operation.method};
    button.disabled = true;
    response.replaceChildren(element('p', {class: 'pulse'}, 'Waiting for Amazon …'));
    try {
      const found = await send(request);
      recordCall({...made, status: found.status, ms: found.ms});
      if (found.status === 429) setThrottled(account.id, true);
      response.replaceChildren(...responseView(found).filter(Boolean));
      spoken.textContent = `Response ${found.status} after ${msWords(found.ms)}`;
    } catch {
      recordCall({...made, status: 0, ms: 0});
      response.replaceChildren(element('p', {class: 'error'}, 'There was no response. Check the connection, and whether a write was carried out before you repeat it.'));
    }
    button.disabled = false;
  }
}

const nameOf = (account) => `${account.amazonSellerId} · ${account.marketplace}`;

function method(words) {
  return element('span', {class: `method ${words.toLowerCase()}`}, words);
}

function describe(operation) {
  const notes = [
    operation.rate ? `${rateWords(operation.rate)}, ${operation.burst} at once` : 'no published rate',
    operation.restricted && 'personal data need a Restricted Data Token',
    operation.grantlessScope && 'needs no seller’s consent (grantless)',
    operation.removalDate ? `Amazon removes it on ${operation.removalDate}` : operation.deprecated && 'deprecated',
  ].filter(Boolean);
  return [element('p', {}, method(operation.method), ' ', element('code', {}, operation.path)), element('p', {class: 'soft'}, `${notes.join(' · ')}.`)];
}
