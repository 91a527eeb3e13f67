// The page of one seller, fetched by its ID.
import {fetchAccount, loadApplications, refresh, store, subscribe} from '../sellers/store.js';
import {element, reveal} from '../shell/elements.js';
import {tried} from '../shell/notices.js';
import {go} from '../shell/router.js';
import {actions} from './actions.js';
import {auditCard} from './audit.js';
import {capturedCard} from './captured.js';
import {checksCard} from './checks.js';
import {clientsCard} from './clients.js';
import {applicationCard, factsCard} from './facts.js';
import {quotasCard} from './quotas.js';
import {timelineCard} from './timeline.js';

/** Show a seller. */
export async function open(place, {parameter: id, signal, title}) {
  title('Seller');
  const head = element('header', {class: 'page-head'});
  const content = element('div', {id: 'detail', class: 'seller-page'});
  place.append(element('p', {class: 'trail'}, element('a', {href: '/console/sellers'}, 'Sellers'), ' / ', element('span', {}, id)), head, content);
  if (!store.accounts.has(id)) {
    head.append(element('h1', {tabindex: '-1'}, 'Seller'));
    content.append(element('p', {class: 'pulse', id: 'loading'}, 'Loading the seller …'));
  }
  const found = await tried(() => fetchAccount(id), (error) => refused(head, content, error));
  if (!found || signal.aborted) return;
  title(`${found.amazonSellerId} · ${found.marketplace}`);
  build(id, head, content, signal);
}

function refused(head, content, error) {
  head.replaceChildren(element('h1', {tabindex: '-1'}, error.status === 404 ? 'This seller does not exist' : 'The seller cannot be shown'));
  const words = error.status === 404 ? 'It was deleted, or it belongs to another user.' : error.sentence;
  content.replaceChildren(element('div', {class: 'card', role: 'alert'},
    element('p', {}, words), element('a', {class: 'button', href: '/console/sellers'}, 'Show the sellers')));
}

function build(id, head, content, signal) {
  const account = () => store.accounts.get(id);
  const changed = () => tried(() => refresh(id));
  const checks = checksCard(account, changed, signal);
  const header = actions(account, checks, changed);
  const facts = factsCard();
  const application = applicationCard();
  const timeline = timelineCard();
  const quotas = quotasCard(id, signal);
  const audit = auditCard(id, signal);
  const captured = capturedCard(id, signal, {changed: audit.draw});
  const clients = clientsCard(id, signal);
  head.replaceChildren(...header.parts);
  const reads = [tried(loadApplications), quotas.first, captured.first, clients.first, audit.draw()];
  reveal(content, signal, reads, [
    element('div', {class: 'column'}, header.warning, timeline.place, checks.place, quotas.place, captured.place, audit.place),
    element('div', {class: 'column'}, facts.place, application.place, clients.place),
  ]);
  let version = account()?.updateTime;
  const draw = () => {
    const shown = account();
    if (!shown) {
      go('/console/sellers', {replace: true});
      return;
    }
    const used = store.applications.get(shown.applicationId);
    header.draw(shown, used);
    facts.draw(shown);
    application.draw(shown, used);
    timeline.draw(shown);
    quotas.draw(shown);
    if (version !== shown.updateTime) audit.draw();
    version = shown.updateTime;
  };
  subscribe(draw, signal);
  draw();
  if (document.activeElement === document.body) head.querySelector('h1').focus({preventScroll: true});
}
