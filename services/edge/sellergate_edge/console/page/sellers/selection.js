// The sellers that are selected in the list.

/** Return a selection. `items()` returns the listed sellers; `changed()` is called after every change. */
export function selection(items, changed) {
  const ids = new Set();
  let last = null;
  return {
    has: (id) => ids.has(id),
    get ids() { return [...ids]; },
    /** Take over a row's box; with Shift, all rows since the last change too. */
    toggle(index, {target, shiftKey}) {
      const listed = items();
      const from = shiftKey && last !== null ? Math.min(last, index) : index;
      const to = shiftKey && last !== null ? Math.max(last, index) : index;
      for (const account of listed.slice(from, to + 1)) {
        if (target.checked) ids.add(account.id);
        else ids.delete(account.id);
      }
      last = index;
      changed();
    },
    /** Select all listed sellers, or none. */
    all(isSelected) {
      ids.clear();
      if (isSelected) for (const account of items()) ids.add(account.id);
      changed();
    },
    /** Keep only those that exist. */
    retain(exists) {
      for (const id of ids) if (!exists(id)) ids.delete(id);
    },
  };
}
