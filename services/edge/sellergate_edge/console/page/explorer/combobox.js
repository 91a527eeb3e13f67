// A field that searches and offers what it finds (the combobox pattern of the ARIA practices).
import {element} from '../shell/elements.js';

const WAIT_MILLISECONDS = 120;
let count = 0;

/**
 * Return a field. `search(text)` returns a promise of at most a few dozen options; `draw(option)` returns what an option shows;
 * `words(option)` is the text of the field once `choose(option)` has been called.
 */
export function combobox({label, placeholder, search, draw, words, choose}) {
  const id = `combobox-${count += 1}`;
  const list = element('ul', {id: `${id}-list`, role: 'listbox', 'aria-label': label, hidden: true});
  const input = element('input', {
    id, type: 'text', role: 'combobox', placeholder, autocomplete: 'off', spellcheck: 'false', 'aria-expanded': 'false',
    'aria-autocomplete': 'list', 'aria-controls': `${id}-list`, oninput: () => later(), onfocus: () => input.select(), onclick: () => later(''),
    onkeydown: (event) => key(event), onblur: () => setTimeout(close, 150),
  });
  let options = [];
  let active = -1;
  let timer = 0;
  let turn = 0;
  let selected = null;

  function later(text = input.value) {
    clearTimeout(timer);
    timer = setTimeout(() => find(text.trim()), WAIT_MILLISECONDS);
  }

  async function find(text) {
    const mine = turn += 1;
    const found = await search(text);
    if (mine !== turn || document.activeElement !== input || !found) return;
    options = found;
    list.replaceChildren(...(options.length ? options.map((option, index) => element(
      'li', {role: 'option', id: `${id}-${index}`, 'aria-selected': 'false', onmousedown: (event) => event.preventDefault(), onclick: () => take(index)}, draw(option)
    )) : [element('li', {class: 'soft', role: 'option', 'aria-disabled': 'true'}, 'Nothing matches')]));
    list.hidden = false;
    input.setAttribute('aria-expanded', 'true');
    mark(options.length ? 0 : -1);
  }

  function mark(index) {
    active = index;
    for (const [other, item] of [...list.children].entries()) item.setAttribute('aria-selected', String(other === index));
    if (index < 0) input.removeAttribute('aria-activedescendant');
    else input.setAttribute('aria-activedescendant', `${id}-${index}`);
    list.children[index]?.scrollIntoView({block: 'nearest'});
  }

  function key(event) {
    if (list.hidden && event.key === 'ArrowDown') find('');
    else if (event.key === 'ArrowDown') mark(Math.min(options.length - 1, active + 1));
    else if (event.key === 'ArrowUp') mark(Math.max(0, active - 1));
    else if (event.key === 'Enter' && !list.hidden && active >= 0) take(active);
    else if (event.key === 'Escape' && !list.hidden) close();
    else return;
    event.preventDefault();
  }

  function take(index) {
    set(options[index]);
    close();
    choose(selected);
  }

  function close() {
    turn += 1;
    clearTimeout(timer);
    list.hidden = true;
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
    if (selected) input.value = words(selected);
  }

  /** Show an option as chosen. */
  function set(option) {
    selected = option;
    input.value = option ? words(option) : '';
  }
  const place = element('div', {class: 'field combobox'}, element('label', {for: id}, label), input, list);
  return {place, input, set};
}
