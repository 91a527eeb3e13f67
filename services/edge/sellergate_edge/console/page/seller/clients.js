// A seller's clients for SP-API SDKs (drop-in clients): list, create, revoke.
import {ask, askForAll} from '../api/edge.js';
import {card, element, fill} from '../shell/elements.js';
import {confirmed, tried} from '../shell/notices.js';
import {dateWords} from '../shell/words.js';
import {facts} from './facts.js';

/** Return the card of the clients of an account. */
export function clientsCard(id, signal) {
  const list = element('ul', {class: 'clients'});
  const issued = element('div', {role: 'status'});
  const fault = element('p', {class: 'error', role: 'alert', hidden: true});
  const name = element('input', {id: 'client-name', maxlength: 128, autocomplete: 'off', placeholder: 'warehouse'});
  const form = element('form', {class: 'inline-form', onsubmit: create},
    element('div', {class: 'field'}, element('label', {for: 'client-name'}, 'Name of a new client'), name),
    element('button', {type: 'submit'}, 'Create'));

  async function load() {
    await tried(async () => {
      const all = await askForAll('/clients', 'clients');
      if (signal.aborted) return;
      const own = all.filter((client) => client.accountIds.includes(id) && !client.revokeTime);
      list.replaceChildren(...(own.length ? own.map(row) : [element('li', {class: 'soft'}, 'No SDK uses this seller.')]));
    }, (error) => fill(fault, error.sentence));
  }

  function row(client) {
    const many = client.accountIds.length > 1 ? ` · ${client.accountIds.length} sellers` : '';
    const words = client.name || client.clientId;
    return element('li', {},
      element('span', {}, element('strong', {}, words), element('small', {class: 'soft'}, `since ${dateWords(client.createTime)}${many}`)),
      element('button', {type: 'button', class: 'danger small', 'aria-label': `Revoke ${words}`, onclick: () => revoke(client)}, 'Revoke'));
  }

  async function revoke(client) {
    const text = `Programs with the client ${client.name || client.clientId} can make no more calls, for all of its ${client.accountIds.length} sellers.`;
    if (!await confirmed({title: 'Revoke this client?', text, action: 'Revoke', keep: 'Keep it'})) return;
    await tried(() => ask('DELETE', `/clients/${encodeURIComponent(client.clientId)}`), (error) => fill(fault, error.sentence));
    issued.replaceChildren();
    await load();
  }

  async function create(event) {
    event.preventDefault();
    fill(fault, '');
    await tried(async () => {
      const made = await ask('POST', '/clients', {}, {name: name.value.trim(), accountIds: [id]});
      name.value = '';
      issued.replaceChildren(element('div', {class: 'notice'},
        element('p', {}, 'The client was created. Copy its secret and refresh token now: they are not shown again.'),
        facts({'Client ID': element('code', {}, made.clientId), 'Client secret': element('code', {}, made.clientSecret),
          'Refresh token': element('code', {}, made.handles[0].handle)})));
      await load();
    }, (error) => fill(fault, error.sentence));
  }

  return {place: card('SDK clients', list, issued, fault, form), first: load()};
}
