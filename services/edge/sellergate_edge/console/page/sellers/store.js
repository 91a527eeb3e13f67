// The user's sellers and applications, loaded page by page and kept until the session ends.
import {FIRST_PAGE} from '../api/early.js';
import {accountPath, ask, askForAll, Refusal} from '../api/edge.js';
import {session} from '../session/session.js';

const PAGE = 500;
const tabs = new BroadcastChannel('sellergate-accounts');
const listeners = new Set();
let turn = 0;

export const store = {
  accounts: new Map(),
  applications: new Map(),
  /** True for each account with an operation that has no call left, as seen in this tab. */
  throttled: new Map(),
  isLoading: false,
  isComplete: false,
  refusal: null,
};

/** Call `listener` after every change until the signal aborts. */
export function subscribe(listener, signal) {
  listeners.add(listener);
  signal.addEventListener('abort', () => listeners.delete(listener));
}

function changed() {
  for (const listener of listeners) listener();
}

/** Forget everything; what is loading is discarded. */
export function reset() {
  turn += 1;
  store.accounts.clear();
  store.applications.clear();
  store.throttled.clear();
  Object.assign(store, {isLoading: false, isComplete: false, refusal: null});
}

/** Load all sellers, unless that is done or under way. The refusal of the edge is kept in the store, and thrown. */
export async function load() {
  if (store.isLoading || store.isComplete) return;
  const mine = turn;
  Object.assign(store, {isLoading: true, refusal: null});
  changed();
  try {
    const applications = loadApplications();
    // Its refusal is thrown below, unless the sellers are refused first.
    applications.catch(() => {});
    let pageToken = '';
    do {
      const found = await ask('GET', '/accounts', {pageSize: pageToken ? PAGE : FIRST_PAGE, pageToken});
      if (mine !== turn) return;
      for (const account of found.accounts) {
        // A seller that was fetched before takes its place in the order of the list.
        store.accounts.delete(account.id);
        store.accounts.set(account.id, account);
      }
      pageToken = found.nextPageToken;
      store.isComplete = !pageToken;
      changed();
    } while (pageToken);
    await applications;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (mine === turn) store.refusal = error;
    throw error;
  } finally {
    if (mine === turn) {
      store.isLoading = false;
      changed();
    }
  }
}

/** Load the applications, unless they are there. Throws a Refusal. */
export async function loadApplications() {
  if (store.applications.size) return;
  const mine = turn;
  const found = await askForAll('/applications', 'applications');
  if (mine !== turn) return;
  for (const application of found) store.applications.set(application.id, application);
  changed();
}

/** Fetch one seller, also one that no page has brought yet. Throws a Refusal. */
export async function fetchAccount(id) {
  const mine = turn;
  const account = await ask('GET', accountPath(id));
  if (mine === turn) keep(account);
  return account;
}

/**
 * Fetch the sellers with an ID of Amazon's or a reference of the user's that no page has brought yet. `found()` is called for each response
 * that brings some, whichever is first. Throws a Refusal.
 */
export async function findEarly(words, signal, found) {
  if (store.isComplete || !/^\S{4,128}$/.test(words)) return;
  const mine = turn;
  const filters = [{externalRef: words}];
  if (words.length <= 64) filters.unshift({amazonSellerId: words.startsWith('amzn1.') ? words : words.toUpperCase()});
  await Promise.all(filters.map(async (filter) => {
    const {accounts} = await ask('GET', '/accounts', filter);
    if (mine !== turn || signal.aborted || !accounts.length) return;
    for (const account of accounts) keep(account);
    found();
  }));
}

/** Keep a seller as the edge returned it. */
export function keep(account) {
  store.accounts.set(account.id, account);
  changed();
}

/** Fetch a seller again after a change here, and let the user's other tabs do so. Throws a Refusal. */
export async function refresh(id) {
  try {
    await fetchAccount(id);
  } catch (error) {
    if (error.status !== 404) throw error;
    store.accounts.delete(id);
    changed();
  } finally {
    tabs.postMessage({user: session.user, id});
  }
}

/** Record whether an operation of a seller has no call left. */
export function setThrottled(id, isThrottled) {
  if (store.throttled.has(id) === isThrottled) return;
  if (isThrottled) store.throttled.set(id, true);
  else store.throttled.delete(id);
  changed();
}

tabs.addEventListener('message', ({data}) => {
  if (!session.isOpen || data.user !== session.user || !store.accounts.has(data.id)) return;
  fetchAccount(data.id).catch((error) => {
    if (error.status === 404 && store.accounts.delete(data.id)) changed();
  });
});
