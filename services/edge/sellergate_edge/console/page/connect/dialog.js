// The dialog that sends a seller to Amazon for consent, for a new seller or one that authorizes again.
import {ask} from '../api/edge.js';
import {session} from '../session/session.js';
import {loadApplications, store} from '../sellers/store.js';
import {at, element, fill} from '../shell/elements.js';
import {applicationWords} from '../shell/words.js';
import {tried} from '../shell/notices.js';

let ids = null;
let arrival = null;

/** Return the ids of the marketplaces by their codes. */
export async function marketplaces() {
  ids ??= await (await fetch('/console/marketplaces.json')).json();
  return ids;
}

/** Open the dialog. `account`: a seller that authorizes again; `from`: what the Appstore sent with a seller. */
export async function openConnect({account = null, from = null} = {}) {
  const isReady = await tried(async () => {
    await Promise.all([loadApplications(), drawMarketplaces()]);
    return true;
  });
  if (!isReady) return;
  arrival = from;
  const usable = [...store.applications.values()].filter((application) => application.authorizesOnWebsite);
  at('application').replaceChildren(...usable.map((one) => element(
    'option', {value: one.id}, `${applicationWords(one)}${one.shared ? ' (shared)' : ''}`
  )));
  if (account) {
    at('application').value = account.applicationId;
    at('marketplace').value = account.marketplace;
  }
  at('connect-title').textContent = account ? `Reconnect ${account.amazonSellerId}` : 'Connect a seller';
  at('connect-text').textContent = arrival
    ? `The Appstore sends the seller ${arrival.partner}, and it will be connected for the user ${session.user}. Go on only if both are you.`
    : 'Amazon will ask for consent to the application.';
  fill(at('connect-error'), usable.length ? '' : 'No application can be authorized on Amazon’s website yet: an operator must set its id and redirect URI.');
  at('connect-form').querySelector('[type=submit]').disabled = !usable.length;
  at('connect-dialog').showModal();
}

async function drawMarketplaces() {
  if (at('marketplace').options.length) return;
  const names = new Intl.DisplayNames(['en'], {type: 'region'});
  const options = Object.keys(await marketplaces()).map((code) => [names.of(code === 'UK' ? 'GB' : code), code]);
  options.sort(([first], [second]) => first.localeCompare(second));
  at('marketplace').replaceChildren(...options.map(([name, code]) => element('option', {value: code}, name)));
  at('marketplace').value = 'US';
}

async function begin() {
  const wanted = {
    applicationId: at('application').value,
    marketplace: at('marketplace').value,
    partnerType: at('connect-form').elements.partner.value,
    ...(arrival && {amazonCallbackUri: arrival.callback, amazonState: arrival.state, sellingPartnerId: arrival.partner}),
  };
  await tried(async () => {
    const begun = await ask('POST', '/oauth/authorizations', {}, wanted);
    location.assign(begun.url);
  }, (error) => fill(at('connect-error'), error.sentence));
}

at('connect-form').addEventListener('submit', (event) => {
  event.preventDefault();
  begin();
});
