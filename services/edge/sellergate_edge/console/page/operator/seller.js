// One seller of any user, for operators: what is stored, the audit trail and the recent calls. Nothing of it can be changed here.
import {accountPath, ask} from '../api/edge.js';
import {auditCard} from '../seller/audit.js';
import {capturedCard} from '../seller/captured.js';
import {factsCard} from '../seller/facts.js';
import {timelineCard} from '../seller/timeline.js';
import {element, reveal} from '../shell/elements.js';
import {tried} from '../shell/notices.js';
import {stateChip} from '../shell/words.js';

/** Show a seller of any user. */
export async function open(place, {parameter: id, signal, title}) {
  title('Seller');
  const head = element('header', {class: 'page-head'}, element('h1', {tabindex: '-1'}, 'Seller'));
  const content = element('div', {class: 'seller-page'}, element('p', {class: 'pulse', id: 'loading'}, 'Loading the seller …'));
  place.append(element('p', {class: 'trail'}, element('a', {href: '/console/operator'}, 'Sellers of all users'), ' / ', element('span', {}, id)), head, content);
  const account = await tried(() => ask('GET', accountPath(id), {allUsers: 'true'}), (error) => content.replaceChildren(
    element('p', {class: 'card', role: 'alert'}, error.status === 404 ? 'This seller does not exist; it was deleted.' : error.sentence)));
  if (!account || signal.aborted) return;
  title(`${account.amazonSellerId} · ${account.marketplace}`);
  const [facts, timeline, audit] = [factsCard(), timelineCard(), auditCard(id, signal, {allUsers: 'true'})];
  facts.draw(account, {isOthers: true});
  timeline.draw(account);
  const captured = capturedCard(id, signal, {changed: audit.draw, allUsers: 'true'});
  head.replaceChildren(element('div', {class: 'who-is'},
    element('h1', {tabindex: '-1'}, `${account.amazonSellerId} · ${account.marketplace}`), stateChip(account.state)));
  await reveal(content, signal, [captured.first, audit.draw()], [
    element('div', {class: 'column'}, timeline.place, captured.place, audit.place),
    element('div', {class: 'column'}, facts.place),
  ]);
}
