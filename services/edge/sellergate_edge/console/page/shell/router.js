// The addresses of the console. Each page is a module with `open(place, context)`, loaded when it is first shown.
import {at, element} from './elements.js';

const ROUTES = [
  [/^\/(?:console\/sellers\/?)?$/, 'sellers', () => import('../sellers/page.js')],
  [/^\/console\/sellers\/([^/]+)\/?$/, 'sellers', () => styled('seller', import('../seller/page.js'))],
  [/^\/console\/explorer\/?$/, 'explorer', () => styled('explorer', import('../explorer/page.js'))],
  [/^\/console\/operator\/?$/, 'operator', () => import('../operator/page.js')],
  [/^\/console\/operator\/([^/]+)\/?$/, 'operator', () => styled('seller', import('../operator/seller.js'))],
  [/^\/console\/applications\/?$/, 'applications', () => styled('seller', import('../applications/page.js'))],
];
const SCROLL_MILLISECONDS = 250;
let shown = {address: null, end: new AbortController()};
let scrolled = 0;

const styles = new Map();

const address = () => location.pathname + location.search;
const routeOf = (path) => isDecodable(path) ? ROUTES.find(([pattern]) => pattern.test(path)) : undefined;

function isDecodable(path) {
  try {
    return decodeURIComponent(path) !== null;
  } catch {
    return false;
  }
}

/** Return a page's module once its style is there. */
async function styled(name, module) {
  if (!styles.has(name)) {
    const link = element('link', {rel: 'stylesheet', href: new URL(`../style/${name}.css`, import.meta.url)});
    styles.set(name, new Promise((resolve) => { link.onload = link.onerror = resolve; }));
    document.head.append(link);
  }
  return (await Promise.all([module, styles.get(name)]))[0];
}

/** Show the page of the current address. `again`: also if it is shown already. */
export async function show({again = false} = {}) {
  if (!again && shown.address === address()) return;
  leave();
  const turn = shown = {address: address(), end: new AbortController()};
  const [pattern, section, load] = routeOf(location.pathname) ?? [null, '', null];
  for (const link of document.querySelectorAll('nav a[data-section]')) {
    if (link.dataset.section === section) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const context = {
    parameter: pattern ? decodeURIComponent(pattern.exec(location.pathname)[1] ?? '') : '',
    query: new URLSearchParams(location.search),
    top: history.state?.top ?? 0,
    signal: turn.end.signal,
    title: (words) => { document.title = words ? `${words} · Sellergate` : 'Sellergate'; },
  };
  const page = load ? await load() : {open: notFound};
  if (turn.end.signal.aborted) return;
  at('board').replaceChildren();
  page.open(at('board'), context);
  if (!history.state?.top) scrollTo(0, 0);
}

/** End the page that is shown: its signal aborts its timers and listeners. */
export function leave() {
  clearTimeout(scrolled);
  scrolled = 0;
  shown.end.abort();
  shown = {address: null, end: shown.end};
}

/** Go to an address. `replace`: Back skips the present one. */
export async function go(to, {replace = false} = {}) {
  if (!replace) history.replaceState({...history.state, top: Math.round(scrollY)}, '');
  history[replace ? 'replaceState' : 'pushState'](null, '', to);
  await show();
  at('board').querySelector('h1')?.focus({preventScroll: true});
}

/** Change the query of the shown page, which has shown the change already. */
export function remember(to) {
  history.replaceState(history.state, '', to);
  shown.address = address();
}

function notFound(place, {title}) {
  title('Not found');
  place.append(element('section', {class: 'card narrow'},
    element('h1', {tabindex: '-1'}, 'This page does not exist'),
    element('p', {}, 'The address names no page of the console. ', element('a', {href: '/console/sellers'}, 'Show the sellers'), '.')));
}

function followed(event) {
  const link = event.target.closest?.('a[href]');
  const changed = event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (!link || event.defaultPrevented || changed || link.target || link.origin !== location.origin) return;
  if (!routeOf(link.pathname) || link.hash) return;
  event.preventDefault();
  go(link.pathname + link.search);
}

/** Begin to follow links, Back and Forward. */
export function start() {
  history.scrollRestoration = 'manual';
  document.addEventListener('click', followed);
  addEventListener('popstate', () => shown.address !== null && show());
  addEventListener('scroll', () => {
    scrolled ||= setTimeout(() => {
      scrolled = 0;
      history.replaceState({...history.state, top: Math.round(scrollY)}, '');
    }, SCROLL_MILLISECONDS);
  }, {passive: true});
}
