// One row of the list.
import {element} from '../shell/elements.js';
import {applicationWords, authorizationLeft, dateWords, ownNames, stateChip} from '../shell/words.js';
import {store} from './store.js';

/** Return the address of a seller's page. */
export function sellerAddress(id) {
  return `/console/sellers/${encodeURIComponent(id)}`;
}

/** Return a row. `isSelected` sets its box; a change of the box calls `onselect` with the row's index and the event. */
export function sellerRow(account, index, isSelected, onselect) {
  const name = `${account.amazonSellerId} · ${account.marketplace}`;
  const own = ownNames(account).join(' · ');
  const box = element('input', {
    type: 'checkbox', 'aria-label': `Select ${name}`, 'data-part': 'box', onclick: (event) => onselect(index, event),
  });
  box.checked = isSelected;
  const cell = (kind, ...children) => element('div', {role: 'cell', class: kind}, ...children);
  return element('div', {role: 'row', class: 'seller', 'aria-rowindex': index + 2, 'data-id': account.id},
    cell('pick', box),
    cell('name', element('a', {href: sellerAddress(account.id), 'data-part': 'link'}, name), own && element('small', {}, own)),
    cell('application', applicationWords(store.applications.get(account.applicationId), '')),
    cell('chips', stateChip(account.state)),
    cell('end', authorizationLeft(account)),
    cell('since', dateWords(account.createTime)));
}
