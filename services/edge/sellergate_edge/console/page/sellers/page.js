// The list of the user's sellers.
import {Refusal} from '../api/edge.js';
import {element, fill} from '../shell/elements.js';
import {tried} from '../shell/notices.js';
import {remember} from '../shell/router.js';
import {numberWords, sellersWords} from '../shell/words.js';
import {attention} from './attention.js';
import {bulkBar} from './bulk.js';
import {addressOf, chosen, fromQuery, isFiltered} from './filters.js';
import {sellerRow} from './row.js';
import {selection} from './selection.js';
import {findEarly, load, reset, store, subscribe} from './store.js';
import {toolbar} from './toolbar.js';
import {VirtualList} from './virtual.js';

// The edge is asked at once for what was pasted or typed after a rest, and while a person types on, after a short pause.
const REST_MS = 250;
const PAUSE_MS = 30;

/** Show the list with the filters of the address. */
export function open(place, {query, signal, title, top}) {
  title('Sellers');
  let filters = fromQuery(query);
  let listed = [];
  let wanted = top;
  let pause = 0;
  let typed = -Infinity;
  const picked = selection(() => listed, () => draw({redraw: true}));
  const tiles = attention();
  const bulk = bulkBar(() => picked.ids, () => picked.all(false));
  const tools = toolbar(filters, (changes) => {
    filters = {...filters, ...changes};
    const rested = performance.now() - typed > REST_MS;
    typed = performance.now();
    lookEarly(rested ? 0 : PAUSE_MS);
    remember(addressOf(filters));
    draw();
    if (rows.getBoundingClientRect().top < 0) scrollTo(0, 0);
  }, signal);
  const count = element('span', {id: 'count', role: 'status'});
  const all = element('input', {type: 'checkbox', 'aria-label': 'Select all listed sellers', onclick: () => picked.all(all.checked)});
  const rows = element('div', {role: 'rowgroup', class: 'rows'});
  const heads = tools.heads.map((head) => element('div', {role: 'columnheader', class: head.kind, 'aria-sort': null}, head.button));
  const table = element('div', {role: 'table', id: 'accounts', class: 'list', 'aria-label': 'Sellers'},
    element('div', {role: 'rowgroup', class: 'heads'},
      element('div', {role: 'row', class: 'head', 'aria-rowindex': 1}, element('div', {role: 'columnheader', class: 'pick'}, all), heads)),
    rows);
  const loading = element('div', {id: 'loading', class: 'message', 'aria-busy': 'true'}, element('p', {class: 'pulse'}, 'Loading the sellers …'));
  const empty = element('div', {id: 'empty', class: 'message', hidden: true});
  const again = element('button', {type: 'button', class: 'quiet small again', onclick: () => { reset(); begin(); }}, 'Refresh');
  const failure = element('p', {});
  const failed = element('div', {id: 'failed', class: 'message', role: 'alert', hidden: true},
    element('h2', {}, 'The sellers cannot be shown'), failure, element('button', {type: 'button', onclick: begin}, 'Try again'));
  place.append(
    element('header', {class: 'row'}, element('h1', {id: 'sellers-title', tabindex: '-1'}, 'Sellers'),
      element('button', {type: 'button', class: 'main', onclick: async () => (await import('../connect/dialog.js')).openConnect()}, 'Connect a seller')),
    tiles.place,
    element('section', {class: 'card table'}, element('div', {class: 'sticky'}, tools.bar, element('div', {class: 'status'}, count, bulk.bar, again)),
      bulk.report, table, loading, empty, failed),
  );
  const list = new VirtualList(rows, (account, index) => sellerRow(account, index, picked.has(account.id), picked.toggle), signal);
  let frame = 0;
  subscribe(() => { frame ||= requestAnimationFrame(() => { frame = 0; if (!signal.aborted) draw({redraw: true}); }); }, signal);
  draw();
  begin();

  function begin() {
    tried(load, (error) => { if (!(error instanceof Refusal)) throw error; });
    lookEarly(0);
  }

  /** While sellers are loading, ask for one that no loaded seller matches, also for the address; show it in the task that brings it. */
  function lookEarly(wait) {
    clearTimeout(pause);
    if (!filters.q || store.isComplete || chosen(filters).length) return;
    const find = () => findEarly(filters.q, signal, () => draw({redraw: true}))
      .catch((error) => { if (!(error instanceof Refusal)) throw error; });
    if (wait) pause = setTimeout(find, wait);
    else find();
  }

  function draw({redraw = false} = {}) {
    const total = store.accounts.size;
    listed = chosen(filters);
    picked.retain((id) => store.accounts.has(id));
    tiles.draw(filters);
    tools.draw(filters, heads);
    bulk.draw();
    const selected = picked.ids.length;
    all.checked = selected > 0 && selected === listed.length;
    all.indeterminate = selected > 0 && !all.checked;
    all.disabled = !listed.length;
    table.setAttribute('aria-rowcount', store.isComplete ? listed.length + 1 : -1);
    table.hidden = !listed.length;
    loading.hidden = listed.length > 0 || !store.isLoading;
    failed.hidden = !store.refusal;
    fill(failure, store.refusal?.sentence ?? '');
    describe(total);
    list.show(listed, redraw);
    restore();
  }

  function describe(total) {
    const shown = isFiltered(filters) ? `${numberWords(listed.length)} of ${sellersWords(total)}` : sellersWords(total);
    count.textContent = !total ? ' ' : store.isComplete ? shown : `${shown}, loading more …`;
    empty.hidden = !store.isComplete || listed.length > 0;
    if (empty.hidden) return;
    const [head, words] = total
      ? ['No seller matches', 'Change the search or the filters.']
      : ['No seller is connected yet', 'Connect one: Amazon asks the seller for consent, and brings you back here.'];
    empty.replaceChildren(element('h2', {}, head), element('p', {}, words));
    if (total) empty.append(element('a', {class: 'button', href: '/console/sellers'}, 'Show all sellers'));
  }

  /** Scroll to where the list was before Back or a reload, as soon as its rows are there. */
  function restore() {
    if (!wanted || (!store.isComplete && list.height < wanted)) return;
    scrollTo(0, wanted);
    wanted = 0;
  }
}
