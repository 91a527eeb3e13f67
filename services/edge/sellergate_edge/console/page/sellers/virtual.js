// A list of any length that scrolls with the window. Only the rows near the window are in the page.

const AROUND = 6;

export class VirtualList {
  #items = [];
  #nodes = new Map();
  #height = 1;

  /** `place` holds the rows; `make(item, index)` returns the row of an item. It ends when the signal aborts. */
  constructor(place, make, signal) {
    this.place = place;
    this.make = make;
    // Browsers send this event once in a frame, before the frame is drawn.
    addEventListener('scroll', () => this.#draw(), {passive: true, signal});
    const watcher = new ResizeObserver(() => this.#resize());
    watcher.observe(place);
    signal.addEventListener('abort', () => {
      watcher.disconnect();
    });
    place.addEventListener('keydown', (event) => this.#move(event), {signal});
  }

  /** Show items. `redraw`: rows of unchanged items are made again too. */
  show(items, redraw = false) {
    this.#items = items;
    if (redraw) for (const node of this.#nodes.values()) node.item = null;
    this.#resize();
  }

  get height() {
    return this.#items.length * this.#height;
  }

  #resize() {
    this.#height = parseFloat(getComputedStyle(this.place).getPropertyValue('--row')) || 1;
    this.place.style.height = `${this.height}px`;
    for (const [index, node] of this.#nodes) this.#position(node, index);
    this.#draw();
  }

  #position(node, index) {
    node.style.transform = `translateY(${index * this.#height}px)`;
  }

  #draw() {
    const top = this.place.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(-top / this.#height) - AROUND);
    const last = Math.min(this.#items.length, Math.ceil((innerHeight - top) / this.#height) + AROUND);
    for (const [index, node] of this.#nodes) {
      // The row that has the focus stays, so that the focus does.
      if ((index >= first && index < last) || (index < this.#items.length && node.contains(document.activeElement))) continue;
      node.remove();
      this.#nodes.delete(index);
    }
    for (let index = first; index < last; index += 1) this.#place(index);
  }

  #place(index) {
    const item = this.#items[index];
    const old = this.#nodes.get(index);
    if (old?.item === item) return;
    const node = this.make(item, index);
    node.item = item;
    this.#position(node, index);
    this.#nodes.set(index, node);
    if (!old) {
      this.#insert(node, index);
      return;
    }
    const focused = old.contains(document.activeElement) && document.activeElement.dataset.part;
    old.replaceWith(node);
    if (focused) node.querySelector(`[data-part="${focused}"]`)?.focus({preventScroll: true});
  }

  /** Insert a row in the order of the list, which is the order of the Tab key and of screen readers. */
  #insert(node, index) {
    const next = [...this.#nodes.keys()].filter((other) => other > index).sort((a, b) => a - b)[0];
    this.place.insertBefore(node, next === undefined ? null : this.#nodes.get(next));
  }

  #move(event) {
    const part = event.target.dataset?.part;
    const from = [...this.#nodes].find(([, node]) => node.contains(event.target))?.[0];
    if (!part || from === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.#items.length - 1;
    const to = {ArrowDown: Math.min(last, from + 1), ArrowUp: Math.max(0, from - 1), Home: 0, End: last}[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.focus(to, part);
  }

  /** Scroll to a row and focus a part of it. */
  focus(index, part) {
    const place = this.place.getBoundingClientRect().top + scrollY;
    const above = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0;
    const top = place + index * this.#height;
    if (top - above < scrollY) scrollTo(0, top - above);
    else if (top + this.#height > scrollY + innerHeight) scrollTo(0, top + this.#height - innerHeight);
    this.#draw();
    this.#nodes.get(index)?.querySelector(`[data-part="${part}"]`)?.focus({preventScroll: true});
  }
}
