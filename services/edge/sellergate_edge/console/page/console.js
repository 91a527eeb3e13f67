// The console: what one user sees of the own sellers. It holds the user's token in this tab and never anything of Amazon's.
import {ask, askSignIn, looksRight, Refusal, session, userOf} from './edge.js';
import {beginAtProvider, completeAtProvider, isBackFromProvider} from './sign_in.js';
import {accountCard, daysLeft, element, fill, quotaRow, stageRow, stateChip, verdict} from './views.js';

const QUOTA_MILLISECONDS = 2000;
const PAGE_SIZE = 50;
// Browsers take a longer wait for none.
const LONGEST_WAIT_MILLISECONDS = 2 ** 31 - 1;
const at = (id) => document.getElementById(id);
const page = {accounts: new Map(), applications: new Map(), next: '', open: null, timer: 0, end: 0, arrival: null};
// Of this browser's other tabs.
const tabs = new BroadcastChannel('sellergate-session');

// --- sign in and out

function show(view) {
  at('sign-in').hidden = view !== 'sign-in';
  at('board').hidden = at('who').hidden = view !== 'board';
}

function signedOut(words = '') {
  session.end();
  clearTimeout(page.timer);
  clearTimeout(page.end);
  page.open = null;
  at('detail').hidden = true;
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  tell('');
  show('sign-in');
  fill(at('token-error'), words);
  (at('at-provider').hidden ? at('token') : at('provider')).focus();
}

/** End the session in all tabs of this user, and the provider's, where there is one. */
function signOut() {
  const {user, endUrl} = session;
  tabs.postMessage({signedOut: user});
  signedOut();
  if (endUrl) location.assign(endUrl);
}

async function signIn(token, endUrl = '') {
  session.begin(token, endUrl);
  page.end = setTimeout(() => signedOut('Your session has ended. Sign in again.'), Math.min(session.left, LONGEST_WAIT_MILLISECONDS));
  at('user').textContent = session.user;
  show('board');
  await load();
}

/** Ask the person at this screen before a token from a link is taken: a link may come from another user. */
function offerSignIn(token) {
  const user = userOf(token);
  signedOut();
  at('link-user').textContent = user;
  at('link-form').onsubmit = () => signIn(token);
  at('link-dialog').showModal();
}

/** Take the token out of the address and the history; return it, or null. */
function tokenFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token !== null) history.replaceState(null, '', location.pathname + location.search);
  return token;
}

function refuseLink() {
  tell(`The link’s token was not used: you are signed in as ${session.user}. Sign out first to use it.`, true);
}

function tell(words, bad = false) {
  fill(at('notice'), words);
  at('notice').classList.toggle('bad', bad);
}

/** Run what a person asked for; a refusal becomes words where they look. */
async function tried(work, refused = (error) => tell(error.sentence, true)) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 401 && error.reason === 'CALLER_UNAUTHENTICATED') signedOut(error.detail);
    else refused(error);
    return null;
  }
}

// --- the list

async function load() {
  at('loading').hidden = false;
  at('empty').hidden = at('failed').hidden = at('more').hidden = true;
  page.accounts.clear();
  page.next = '';
  await tried(async () => {
    await Promise.all([loadApplications(), loadAccounts()]);
    arrived();
  }, (error) => {
    fill(at('failed-text'), error.sentence);
    at('failed').hidden = false;
  });
  at('loading').hidden = true;
}

async function loadApplications() {
  let token = '';
  page.applications.clear();
  do {
    const found = await ask('GET', '/applications', {pageSize: 500, pageToken: token});
    for (const application of found.applications) page.applications.set(application.id, application);
    token = found.nextPageToken;
  } while (token);
}

async function loadAccounts() {
  const found = await ask('GET', '/accounts', {pageSize: PAGE_SIZE, pageToken: page.next});
  for (const account of found.accounts) page.accounts.set(account.id, account);
  page.next = found.nextPageToken;
}

function drawList() {
  const cards = [...page.accounts.values()].map((account) => {
    const card = accountCard(account, page.applications.get(account.applicationId), account.id === page.open);
    card.addEventListener('click', () => open(account.id));
    return element('li', {}, card);
  });
  at('accounts').replaceChildren(...cards);
  at('empty').hidden = cards.length > 0;
  at('more').hidden = !page.next;
}

// --- one seller

function open(id) {
  page.open = id;
  fill(at('check'), '');
  at('quotas').replaceChildren();
  drawList();
  drawDetail();
  at('detail').focus();
  watchQuota(id);
}

function drawDetail() {
  const account = page.accounts.get(page.open);
  const application = page.applications.get(account.applicationId);
  at('detail-title').textContent = `${account.amazonSellerId} · ${account.marketplace}`;
  at('detail-state').replaceChildren(stateChip(account.state));
  at('revoked').hidden = account.state !== 'AUTHORIZATION_REVOKED';
  at('disconnect').hidden = account.state === 'INACTIVE';
  at('reconnect').disabled = !application?.authorizesOnWebsite;
  at('reconnect').title = application?.authorizesOnWebsite ? '' : 'This application has no redirect URI at Amazon yet';
  const facts = {
    'Account': account.id,
    'Application': application ? application.name || `LWA client …${application.lwaClientIdHint}` : account.applicationId,
    'Authorization': daysLeft(account.authorizationExpireTime),
    'Client secret': daysLeft(application?.secretExpireTime),
    'Signing role': account.iamRoleArn || 'none',
    'Calls go to': account.sandbox ? 'the sandbox' : 'production',
  };
  at('facts').replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)])
  );
  at('detail').hidden = false;
}

async function watchQuota(id) {
  clearTimeout(page.timer);
  if (page.open !== id || document.hidden) {
    page.timer = page.open === id ? setTimeout(() => watchQuota(id), QUOTA_MILLISECONDS) : 0;
    return;
  }
  await tried(async () => {
    const found = await ask('GET', `/accounts/${encodeURIComponent(id)}/quotas`);
    if (page.open !== id) return;
    drawQuota(found.quotas);
  }, (error) => fill(at('throttled'), error.reason === 'ACCOUNT_INACTIVE' || error.reason === 'AUTHORIZATION_REVOKED' ? '' : error.sentence));
  if (page.open === id) page.timer = setTimeout(() => watchQuota(id), QUOTA_MILLISECONDS);
}

function drawQuota(quotas) {
  const rows = at('quotas');
  quotas.forEach((quota, index) => {
    const row = quotaRow(quota, rows.children[index]);
    if (!rows.children[index]) rows.append(row);
  });
  const out = quotas.filter((quota) => quota.remaining < 1);
  fill(at('throttled'), out.length ? `No call is left for now: ${out.map((one) => one.operation.split('/').pop()).join(', ')}.` : '');
}

const WORK = {
  status: ['Checking the status …', (account) => ask('GET', '/test/status', {amazonAccountId: account.id})],
  orders: ['Asking Amazon for orders …', (account) => ask('GET', '/test/orders', {
    amazonAccountId: account.id, marketplaceId: account.marketplaceIds[0] ?? page.marketplaces[account.marketplace],
  })],
  verify: ['Asking Amazon for a token …', (account) => ask('POST', `/accounts/${encodeURIComponent(account.id)}/verify`, {call: 'true'})],
};

async function check(kind) {
  const account = page.accounts.get(page.open);
  const [words, work] = WORK[kind];
  const place = at('check');
  place.hidden = false;
  place.replaceChildren(element('p', {class: 'pulse'}, words));
  const drawn = (words, stages) => place.replaceChildren(
    element('h3', {}, words), element('ul', {class: 'stages'}, ...stages.map(stageRow))
  );
  await tried(async () => {
    const found = await work(account);
    if (page.open !== account.id) return;
    drawn(kind === 'orders' ? `${found.orders.length} orders of the last 7 days` : verdict(found.stages), found.stages);
  }, (error) => drawn(error.sentence, error.stages ?? []));
  const fresh = await tried(() => ask('GET', `/accounts/${encodeURIComponent(account.id)}`), () => null);
  if (fresh && page.open === account.id) {
    page.accounts.set(fresh.id, fresh);
    drawList();
    drawDetail();
  }
}

// --- connecting

function arrived() {
  const arrival = page.arrival;
  page.arrival = null;
  if (arrival?.accountId && page.accounts.has(arrival.accountId)) {
    open(arrival.accountId);
    tell('The seller is connected.');
  } else {
    drawList();
  }
  if (arrival?.callback) askWhatToConnect({arrival});
}

function askWhatToConnect({account = null, arrival = null} = {}) {
  const usable = [...page.applications.values()].filter((application) => application.authorizesOnWebsite);
  at('application').replaceChildren(...usable.map((one) => element(
    'option', {value: one.id}, `${one.name || `LWA client …${one.lwaClientIdHint}`}${one.shared ? ' (shared)' : ''}`
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
  at('connect-dialog').arrival = arrival;
  at('connect-dialog').showModal();
}

async function beginConsent() {
  const wanted = {
    applicationId: at('application').value,
    marketplace: at('marketplace').value,
    partnerType: at('connect-form').elements.partner.value,
  };
  const arrival = at('connect-dialog').arrival;
  if (arrival) {
    Object.assign(wanted, {
      amazonCallbackUri: arrival.callback, amazonState: arrival.state, sellingPartnerId: arrival.partner,
    });
  }
  await tried(async () => {
    const begun = await ask('POST', '/oauth/authorizations', {}, wanted);
    location.assign(begun.url);
  }, (error) => fill(at('connect-error'), error.sentence));
}

async function disconnect() {
  const id = page.open;
  await tried(async () => {
    await ask('DELETE', `/accounts/${encodeURIComponent(id)}`);
    page.accounts.set(id, await ask('GET', `/accounts/${encodeURIComponent(id)}`));
    tell('The seller is disconnected.');
    drawList();
    drawDetail();
  });
}

// --- beginning

function readAddress() {
  const token = tokenFromAddress();
  const query = new URLSearchParams(location.search);
  const callback = query.get('amazon_callback_uri');
  page.arrival = {
    accountId: query.get('accountId'),
    ...(callback && {callback, state: query.get('amazon_state'), partner: query.get('selling_partner_id')}),
  };
  // Neither a token nor a state of Amazon's stays in the history.
  if (location.search) history.replaceState(null, '', '/');
  return token;
}

async function loadMarketplaces() {
  page.marketplaces = await (await fetch('/console/marketplaces.json')).json();
  const names = new Intl.DisplayNames(['en'], {type: 'region'});
  const options = Object.keys(page.marketplaces).map((code) => [names.of(code === 'UK' ? 'GB' : code), code]);
  options.sort(([first], [second]) => first.localeCompare(second));
  at('marketplace').replaceChildren(...options.map(([name, code]) => element('option', {value: code}, name)));
  at('marketplace').value = 'US';
}

at('sign-in-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const token = at('token').value.trim();
  at('token').value = '';
  if (!looksRight(token)) fill(at('token-error'), 'This is no token: it has three parts with dots between them.');
  else signIn(token);
});
at('connect-form').addEventListener('submit', (event) => {
  event.preventDefault();
  beginConsent();
});
at('confirm-form').addEventListener('submit', disconnect);
at('provider').addEventListener('click', () => tried(
  () => beginAtProvider(page.arrival), (error) => fill(at('token-error'), error.sentence)
));
tabs.addEventListener('message', ({data}) => {
  if (session.isOpen && data.signedOut === session.user) signedOut('You signed out in another tab.');
});
at('sign-out').addEventListener('click', signOut);
at('retry').addEventListener('click', load);
at('more').addEventListener('click', () => tried(async () => {
  await loadAccounts();
  drawList();
}));
at('connect').addEventListener('click', () => askWhatToConnect());
at('reconnect').addEventListener('click', () => askWhatToConnect({account: page.accounts.get(page.open)}));
at('disconnect').addEventListener('click', () => at('confirm-dialog').showModal());
at('check-status').addEventListener('click', () => check('status'));
at('check-orders').addEventListener('click', () => check('orders'));
at('verify').addEventListener('click', () => check('verify'));
for (const button of document.querySelectorAll('[data-closes]')) {
  button.addEventListener('click', () => button.closest('dialog').close());
}

// A link that only changes the fragment of an open page reloads nothing.
window.addEventListener('hashchange', () => {
  const token = tokenFromAddress();
  if (token === null) return;
  if (session.isOpen) refuseLink();
  else if (looksRight(token)) offerSignIn(token);
});

async function cameBack() {
  try {
    const {token, endSessionUrl, arrival} = await completeAtProvider();
    page.arrival = arrival;
    await signIn(token, endSessionUrl);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    signedOut(error.sentence);
  }
}

const back = isBackFromProvider();
const linked = back ? null : readAddress();
await loadMarketplaces();
const ways = await tried(() => askSignIn('GET'), () => null);
at('at-provider').hidden = !ways?.provider;
if (session.isOpen && session.left > 0) {
  if (back) history.replaceState(null, '', '/');
  if (linked !== null) refuseLink();
  await signIn(session.token, session.endUrl);
} else if (back) {
  await cameBack();
} else if (linked !== null && looksRight(linked)) {
  offerSignIn(linked);
} else {
  signedOut(session.isOpen ? 'Your session has ended. Sign in again.' : '');
}
