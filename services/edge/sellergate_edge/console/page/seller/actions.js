// The head of a seller's page: name, state, and what can be done.
import {accountPath, ask} from '../api/edge.js';
import {openConnect} from '../connect/dialog.js';
import {element} from '../shell/elements.js';
import {confirmed, tell, tried} from '../shell/notices.js';
import {stateChip} from '../shell/words.js';

const UNAUTHORIZED = 'This application has no redirect URI at Amazon yet';

/** Return the head's parts with the warning about a revoked authorization. `draw` shows the present account in them. */
export function actions(account, checks, changed) {
  const button = (id, words, onclick, kind = '') => element('button', {type: 'button', id, class: kind, onclick}, words);
  const name = element('h1', {id: 'detail-title', tabindex: '-1'});
  const state = element('span', {id: 'detail-state'});
  const reconnect = button('reconnect', 'Reconnect', () => openConnect({account: account()}));
  const disconnect = button('disconnect', 'Disconnect', () => end('Disconnect', {}), 'danger');
  const remove = button('delete', 'Delete …', () => end('Delete', {hard: 'true'}), 'danger');
  const explorer = element('a', {class: 'button', href: `/console/explorer?account=${encodeURIComponent(account().id)}`}, 'Call the API');
  const warning = element('div', {id: 'revoked', class: 'warning'},
    element('p', {}, "Amazon refuses this seller's authorization. Let the seller authorize the application again."),
    button('verify', 'Verify it again', () => checks.run('verify')));

  async function end(what, query) {
    const isFinal = Boolean(query.hard);
    const text = isFinal
      ? 'The account and its secrets are deleted permanently. The seller must authorize again to come back.'
      : 'Programs can make no calls for the seller until it is connected again. Nothing is deleted.';
    const typed = isFinal ? account().amazonSellerId : '';
    const isAgreed = await confirmed({title: `${what} this seller?`, text, action: what, keep: 'Keep it', typed});
    if (!isAgreed) return;
    await tried(async () => {
      await ask('DELETE', accountPath(account().id), query);
      await changed();
      tell(`The seller is ${isFinal ? 'deleted' : 'disconnected'}.`);
    });
  }

  function draw(shown, application) {
    name.textContent = `${shown.amazonSellerId} · ${shown.marketplace}`;
    if (state.dataset.state !== shown.state) state.replaceChildren(stateChip(shown.state));
    state.dataset.state = shown.state;
    warning.hidden = shown.state !== 'AUTHORIZATION_REVOKED';
    disconnect.hidden = shown.state === 'INACTIVE';
    remove.hidden = shown.state !== 'INACTIVE';
    reconnect.disabled = !application?.authorizesOnWebsite;
    reconnect.title = reconnect.disabled ? UNAUTHORIZED : '';
  }
  const parts = [
    element('div', {class: 'who-is'}, name, state),
    element('div', {class: 'actions'},
      button('check-status', 'Check the status', () => checks.run('status'), 'main'),
      button('check-orders', 'Check the orders', () => checks.run('orders')), explorer, reconnect, disconnect, remove),
  ];
  return {parts, warning, draw};
}
