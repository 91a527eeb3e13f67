// The applications and the clients for SDKs that the user can use.
import {askForAll} from '../api/edge.js';
import {facts} from '../seller/facts.js';
import {sellerAddress} from '../sellers/row.js';
import {loadApplications, store, subscribe} from '../sellers/store.js';
import {element} from '../shell/elements.js';
import {tried} from '../shell/notices.js';
import {applicationWords, chip, dateWords, daysLeft, sellersWords} from '../shell/words.js';

/** Show the applications and clients. */
export function open(place, {signal, title}) {
  title('Applications');
  const applications = element('div', {class: 'cards'}, element('p', {class: 'pulse', id: 'loading'}, 'Loading the applications …'));
  const clients = element('div', {});
  place.append(
    element('header', {class: 'row'}, element('h1', {tabindex: '-1'}, 'Applications')), applications,
    element('h2', {class: 'apart', id: 'clients-title'}, 'SDK clients'), clients);
  const draw = () => applications.replaceChildren(...[...store.applications.values()].map(applicationView));
  subscribe(draw, signal);
  const refused = (where) => (error) => where.replaceChildren(element('p', {class: 'error', role: 'alert'}, error.sentence));
  tried(async () => {
    await loadApplications();
    if (store.applications.size) draw();
    else applications.replaceChildren(element('p', {class: 'card'}, 'There is no application yet. It is stored with the first seller, or an operator creates it.'));
  }, refused(applications));
  tried(async () => clients.replaceChildren(clientTable(await askForAll('/clients', 'clients'))), refused(clients));
}

function applicationView(application) {
  return element('section', {class: 'card', 'aria-label': applicationWords(application)},
    element('div', {class: 'row'}, element('h2', {}, applicationWords(application)),
      application.shared ? chip('shared', 'off') : chip('yours', 'good')),
    facts({
      'LWA client': `…${application.lwaClientIdHint}`,
      'Client secret': application.secretExpireTime ? daysLeft(application.secretExpireTime) : 'end unknown',
      'Website consent': application.authorizesOnWebsite ? 'ready' : 'not set up: an operator must set its ID and redirect URI',
      'Application ID': element('code', {}, application.id),
    }));
}

function clientTable(clients) {
  if (!clients.length) return element('p', {class: 'card soft'}, 'No client was created yet. Open a seller to create one for an SP-API SDK.');
  const rows = clients.map((client) => element('tr', {},
    element('td', {}, client.name || '–'),
    element('td', {}, element('code', {}, client.clientId)),
    element('td', {}, client.accountIds.length === 1 ? element('a', {href: sellerAddress(client.accountIds[0])}, '1 seller') : sellersWords(client.accountIds.length)),
    element('td', {}, dateWords(client.createTime)),
    element('td', {}, client.revokeTime ? chip('Revoked', 'bad') : chip('Active', 'good'))));
  const heads = ['Name', 'Client ID', 'Sellers', 'Created', 'State'].map((words) => element('th', {scope: 'col'}, words));
  return element('div', {class: 'card scrolls', tabindex: '0', role: 'region', 'aria-labelledby': 'clients-title'},
    element('table', {}, element('thead', {}, element('tr', {}, heads)), element('tbody', {}, rows)));
}
