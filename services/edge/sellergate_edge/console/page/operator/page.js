// The sellers of all users, for operators: searched and filtered by the edge, page by page, and read-only.
import {ask} from '../api/edge.js';
import {STATES} from '../sellers/filters.js';
import {choice, element, fill, table} from '../shell/elements.js';
import {tried} from '../shell/notices.js';
import {remember} from '../shell/router.js';
import {authorizationLeft, dateWords, numberWords, ownNames, sellersWords, stateChip} from '../shell/words.js';

const SHOWN = 100;
const PAUSE_MS = 150;
const HOME = '/console/operator';
const NAMES = ['user', 'seller', 'state'];

/** Show the sellers of all users. */
export function open(place, {query, signal, title}) {
  title('All users');
  const filters = Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? '']));
  const list = table('Sellers of all users', ['User', 'Seller', 'State', 'Authorization', 'Connected'], []);
  const count = element('span', {id: 'count', role: 'status'}, ' ');
  const fault = element('p', {class: 'error', role: 'alert', hidden: true});
  const empty = element('div', {class: 'message', hidden: true}, element('h2', {}, 'No seller matches'),
    element('p', {}, 'User and seller ID must be complete. Change or empty them.'));
  const more = element('button', {type: 'button', hidden: true, onclick: () => read(next)}, 'Show more');
  let turn = 0;
  let pause = 0;
  let next = '';

  const field = (name, label, placeholder) => element('div', {class: 'field'}, element('label', {for: `of-${name}`}, label),
    element('input', {id: `of-${name}`, type: 'search', placeholder, autocomplete: 'off', spellcheck: 'false', value: filters[name],
      oninput: (event) => changed({[name]: event.target.value.trim()}, PAUSE_MS)}));
  place.append(
    element('header', {class: 'row'}, element('h1', {tabindex: '-1'}, 'Sellers of all users'), element('span', {class: 'soft'}, 'for operators')),
    element('div', {class: 'card operator'},
      element('div', {role: 'search', class: 'toolbar'},
        field('user', 'User', 'The user’s ID'), field('seller', 'Seller', 'Amazon’s ID of the seller'),
        choice('State', 'of-state', STATES, filters.state, (event) => changed({state: event.target.value}))),
      element('div', {class: 'status'}, count), fault, empty, list.place, element('p', {}, more)));
  signal.addEventListener('abort', () => clearTimeout(pause));
  read();

  function changed(values, wait = 0) {
    Object.assign(filters, values);
    const chosen = Object.entries(filters).filter(([, value]) => value);
    remember(`${HOME}${chosen.length ? `?${new URLSearchParams(chosen)}` : ''}`);
    clearTimeout(pause);
    pause = setTimeout(read, wait);
  }

  async function read(pageToken = '') {
    const mine = turn += 1;
    await tried(async () => {
      const page = await ask('GET', '/accounts', {
        allUsers: 'true', userId: filters.user, amazonSellerId: filters.seller, state: filters.state, pageSize: SHOWN, pageToken,
      });
      if (mine !== turn || signal.aborted) return;
      if (!pageToken) list.body.replaceChildren();
      list.body.append(...page.accounts.map(row));
      next = page.nextPageToken;
      draw(list.body.rows.length);
    }, (error) => {
      if (mine !== turn) return;
      list.body.replaceChildren();
      next = '';
      draw(0);
      empty.hidden = true;
      fill(fault, error.sentence);
    });
  }

  function draw(shown) {
    fill(fault, '');
    list.place.hidden = !shown;
    empty.hidden = shown > 0;
    more.hidden = !next;
    count.textContent = next ? `The first ${numberWords(shown)} sellers` : sellersWords(shown);
  }
}

/** Return the address of a seller's page for operators. */
function addressOf(id) {
  return `${HOME}/${encodeURIComponent(id)}`;
}

function row(account) {
  const own = ownNames(account).join(' · ');
  return element('tr', {},
    element('td', {class: 'name'}, account.userId),
    element('td', {}, element('a', {href: addressOf(account.id)}, `${account.amazonSellerId} · ${account.marketplace}`), own && element('small', {class: 'soft'}, ` ${own}`)),
    element('td', {}, stateChip(account.state)),
    element('td', {}, authorizationLeft(account)),
    element('td', {}, dateWords(account.createTime)));
}
