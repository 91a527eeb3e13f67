// Search, filters and order of the list.
import {choice, element} from '../shell/elements.js';
import {knowsVerified} from './attention.js';
import {ENDS, SORTS, STATES, VERIFIED} from './filters.js';
import {store} from './store.js';

const HEADS = [
  ['name', 'Seller', 'seller'], ['application', 'Application', ''], ['chips', 'State', 'state'],
  ['end', 'Authorization', 'ends'], ['since', 'Connected', 'connected'],
];

/** Return the bar and the buttons of the columns' heads. A change calls `changed` with the filters that changed. */
export function toolbar(filters, changed, signal) {
  const search = element('input', {
    id: 'search', type: 'search', placeholder: 'Seller ID, reference, label …', autocomplete: 'off', spellcheck: 'false',
    'aria-keyshortcuts': '/', value: filters.q, oninput: () => changed({q: search.value.trim()}),
  });
  const select = (label, name, options) => choice(label, `filter-${name}`, options, filters[name], (event) => changed({[name]: event.target.value}));
  const marketplace = select('Marketplace', 'marketplace', {'': 'Any'});
  const verified = select('Verified', 'verified', VERIFIED);
  const selects = [
    select('State', 'state', STATES), select('Authorization ends', 'ends', ENDS), marketplace, verified, select('Sort by', 'sort', SORTS),
  ];
  const bar = element('div', {role: 'search', class: 'toolbar'},
    element('div', {class: 'field wide'}, element('label', {for: 'search'}, 'Search'), search), selects);
  const heads = HEADS.map(([kind, words, sort]) => ({
    kind, sort,
    button: sort ? element('button', {type: 'button', class: 'plain', onclick: () => changed({sort: other(sort)})}, words) : words,
  }));
  let current = filters;
  const other = (sort) => (current.sort === sort ? `-${sort}` : sort);

  addEventListener('keydown', (event) => {
    const writes = event.target.matches?.('input, textarea, select, dialog *');
    if (event.key !== '/' || writes || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    search.focus();
  }, {signal});

  function draw(shown, columns) {
    current = shown;
    verified.hidden = !knowsVerified();
    drawMarketplaces(marketplace.querySelector('select'), shown.marketplace);
    for (const [name, value] of Object.entries(shown)) {
      const control = bar.querySelector(name === 'q' ? '#search' : `#filter-${name}`);
      if (control && control !== document.activeElement && control.value !== value) control.value = value;
    }
    heads.forEach(({sort}, index) => {
      const direction = shown.sort === sort ? 'ascending' : shown.sort === `-${sort}` ? 'descending' : null;
      if (sort && direction) columns[index].setAttribute('aria-sort', direction);
      else columns[index].removeAttribute('aria-sort');
    });
  }
  return {bar, heads, draw};
}

function drawMarketplaces(select, value) {
  const codes = [...new Set([...store.accounts.values()].map((account) => account.marketplace)), ...(value ? [value] : [])];
  const wanted = ['', ...new Set(codes)].sort();
  if (select.options.length === wanted.length && wanted.every((code, index) => select.options[index].value === code)) return;
  select.replaceChildren(...wanted.map((code) => element('option', {value: code, selected: code === value}, code || 'Any')));
  select.value = value;
}
