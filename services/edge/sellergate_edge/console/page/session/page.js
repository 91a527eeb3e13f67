// Signing in and out, and what brought the browser here: a link with a token, the provider, the Appstore or Amazon's consent.
import {ask, askSignIn, Refusal} from '../api/edge.js';
import {sellerAddress} from '../sellers/row.js';
import {reset} from '../sellers/store.js';
import {at, fill} from '../shell/elements.js';
import {onSessionRefused, tell, tried} from '../shell/notices.js';
import {leave, show} from '../shell/router.js';
import {session} from './session.js';
import {looksRight, userOf} from './token.js';

// Browsers take a longer wait for none.
const LONGEST_WAIT_MILLISECONDS = 2 ** 31 - 1;
const ENDED = 'Your session has ended. Sign in again.';
const BACK = '/console/signed-in';
const provider = () => import('./provider.js');
// This browser's other tabs.
const tabs = new BroadcastChannel('sellergate-session');
let expiry = 0;
let arrival = null;

function display(isSignedIn) {
  at('sign-in').hidden = isSignedIn;
  at('board').hidden = at('who').hidden = at('sections').hidden = !isSignedIn;
  at('operator').hidden = true;
}

function signedOut(words = '') {
  session.end();
  clearTimeout(expiry);
  leave();
  reset();
  document.dispatchEvent(new Event('session-ended'));
  at('board').replaceChildren();
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  tell('');
  document.title = 'Sellergate';
  display(false);
  fill(at('token-error'), words);
  (at('at-provider').hidden ? at('token') : at('provider')).focus();
}

/** End the session in all tabs of this user, and the provider's, where there is one. */
function signOut() {
  const {user, endUrl} = session;
  tabs.postMessage({signedOut: user});
  signedOut();
  history.replaceState(null, '', '/');
  if (endUrl) location.assign(endUrl);
}

async function signIn(token, endUrl = '') {
  session.begin(token, endUrl);
  expiry = setTimeout(() => signedOut(ENDED), Math.min(session.left, LONGEST_WAIT_MILLISECONDS));
  at('user').textContent = session.user;
  display(true);
  const came = arrival;
  arrival = null;
  if (came?.accountId) {
    history.replaceState(null, '', sellerAddress(came.accountId));
    tell('The seller is connected.');
  }
  await show({again: true});
  offerOperator();
  if (came?.callback) await (await import('../connect/dialog.js')).openConnect({from: came});
}

/** Show the page of all users' sellers in the navigation, if the user is an operator. */
async function offerOperator() {
  const user = await tried(() => ask('GET', '/user'), () => null);
  at('operator').hidden = !(session.isOpen && user?.isOperator && user.id === session.user);
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

/** Take what Amazon sent out of the address: neither a token nor a state of Amazon's stays in the history. */
function arrivalFromAddress() {
  const query = new URLSearchParams(location.search);
  const callback = query.get('amazon_callback_uri');
  const accountId = query.get('accountId');
  if (location.pathname !== '/' || !(callback || accountId)) return null;
  history.replaceState(null, '', '/');
  return {accountId, ...(callback && {callback, state: query.get('amazon_state'), partner: query.get('selling_partner_id')})};
}

async function cameBack() {
  try {
    const found = await (await provider()).completeAtProvider();
    arrival = found.arrival;
    await signIn(found.token, found.endSessionUrl);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    signedOut(error.sentence);
  }
}

async function offerProvider() {
  const ways = await tried(() => askSignIn('GET'), () => null);
  at('at-provider').hidden = !ways?.provider;
}

function listen() {
  onSessionRefused(signedOut);
  at('sign-in-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const token = at('token').value.trim();
    at('token').value = '';
    if (!looksRight(token)) fill(at('token-error'), 'This is no token: it has three parts with dots between them.');
    else signIn(token);
  });
  at('provider').addEventListener('click', () => tried(
    async () => (await provider()).beginAtProvider(arrival, location.pathname + location.search), (error) => fill(at('token-error'), error.sentence)
  ));
  at('sign-out').addEventListener('click', signOut);
  tabs.addEventListener('message', ({data}) => {
    if (session.isOpen && data.signedOut === session.user) signedOut('You signed out in another tab.');
  });
  // A link that only changes the fragment of an open page reloads nothing.
  addEventListener('hashchange', () => {
    const token = tokenFromAddress();
    if (token === null) return;
    if (session.isOpen) refuseLink();
    else if (looksRight(token)) offerSignIn(token);
  });
}

/** Open the session of this tab, or show how to sign in. */
export async function begin() {
  listen();
  const isBack = location.pathname === BACK;
  const linked = isBack ? null : tokenFromAddress();
  if (!isBack) arrival = arrivalFromAddress();
  const offered = offerProvider();
  if (session.isOpen && session.left > 0) {
    if (isBack) history.replaceState(null, '', '/');
    const shown = signIn(session.token, session.endUrl);
    if (linked !== null) refuseLink();
    await shown;
    return;
  }
  await offered;
  if (isBack) await cameBack();
  else if (linked !== null && looksRight(linked)) offerSignIn(linked);
  else signedOut(session.isOpen ? ENDED : '');
}
