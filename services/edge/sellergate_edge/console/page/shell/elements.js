// Elements of the page. Everything that came from outside goes in as text, never as markup.

const SVG = 'http://www.w3.org/2000/svg';

/** Return an element. An attribute `on…` is a listener, `true` has no value, and `false` or null leaves the attribute out. */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** Return an element of an SVG image. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Put words into an element that is hidden without any. */
export function fill(place, words) {
  place.textContent = words;
  place.hidden = !words;
}

/** Return the element of the page with an id. */
export function at(id) {
  return document.getElementById(id);
}

/** Return a select with a label. `options` maps values to words. */
export function choice(label, id, options, value, onchange) {
  const items = Object.entries(options).map(([one, words]) => element('option', {value: one, selected: one === value}, words));
  return element('div', {class: 'field'}, element('label', {for: id}, label), element('select', {id, onchange}, items));
}

/** Return a card with a heading. */
export function card(title, ...children) {
  const id = `card-${title.toLowerCase().replaceAll(/[^a-z]+/g, '-')}`;
  return element('section', {class: 'card', 'aria-labelledby': id}, element('h2', {id}, title), children);
}

/** Return a table that scrolls sideways in its own region. `heads` are words, `rows` elements; `body` holds the rows. */
export function table(label, heads, rows) {
  const body = element('tbody', {}, rows);
  const head = element('thead', {}, element('tr', {}, heads.map((words) => element('th', {scope: 'col'}, words))));
  return {place: element('div', {class: 'scrolls', tabindex: '0', role: 'region', 'aria-label': label}, element('table', {}, head, body)), body};
}

const MOST_WAIT = 1000;

/**
 * Show parts in place of a place's content once all first reads have ended, after a second at the latest: content that comes later
 * would move what is below it. The place itself is a new one, since a header that grows would move the old one.
 */
export async function reveal(old, signal, reads, parts) {
  const place = old.cloneNode();
  place.append(element('p', {class: 'pulse'}, 'Loading …'));
  old.replaceWith(place);
  await Promise.race([Promise.allSettled(reads), new Promise((done) => setTimeout(done, MOST_WAIT))]);
  if (!signal.aborted) place.replaceChildren(...parts);
}
