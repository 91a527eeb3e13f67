// Search, filters and order of the list, as the query of its address.
import {store} from './store.js';
import {applicationWords, DAY, ownNames, SOON_DAYS} from '../shell/words.js';

const NONE = {q: '', state: '', ends: '', marketplace: '', verified: '', throttled: '', sort: 'connected'};
export const STATES = {'': 'Any', ACTIVE: 'Active', AUTHORIZATION_REVOKED: 'Revoked', INACTIVE: 'Disconnected'};
export const ENDS = {
  '': 'Any', 7: 'Within 7 days', [SOON_DAYS]: `Within ${SOON_DAYS} days`, 90: 'Within 90 days', ended: 'Has ended', unknown: 'Unknown',
};
export const VERIFIED = {'': 'Any', yes: 'Verified', no: 'Not verified'};
export const SORTS = {
  connected: 'Oldest first', '-connected': 'Newest first', seller: 'Seller ID, A to Z', '-seller': 'Seller ID, Z to A',
  ends: 'Ends first', '-ends': 'Ends last', state: 'Problems first', '-state': 'Problems last',
};
const ORDER = {AUTHORIZATION_REVOKED: 0, ACTIVE: 1, INACTIVE: 2};
const KEYS = {
  connected: (account) => account.createTime,
  seller: (account) => `${account.amazonSellerId} ${account.marketplace}`,
  ends: (account) => (account.state === 'ACTIVE' && account.authorizationExpireTime) || '9999',
  state: (account) => `${ORDER[account.state] ?? 3} ${account.createTime}`,
};
const texts = new WeakMap();

/** Return the filters that a query names. */
export function fromQuery(query) {
  const found = Object.entries(NONE).map(([name, none]) => [name, query.get(name) ?? none]);
  const filters = Object.fromEntries(found);
  return filters.sort in SORTS ? filters : {...filters, sort: NONE.sort};
}

/** Return the address of the list with filters; those that are left out filter nothing. */
export function addressOf(filters) {
  const chosen = Object.entries(filters).filter(([name, value]) => value !== NONE[name]);
  return `/console/sellers${chosen.length ? `?${new URLSearchParams(chosen)}` : ''}`;
}

/** Report whether filters hide sellers. */
export function isFiltered(filters) {
  return Object.entries(filters).some(([name, value]) => name !== 'sort' && value !== '');
}

/** Return the sellers that the filters let through, in their order. */
export function chosen(filters) {
  const passes = predicate(filters);
  const found = [...store.accounts.values()].filter(passes);
  if (filters.sort === NONE.sort) return found;
  const key = KEYS[filters.sort.replace('-', '')];
  const direction = filters.sort.startsWith('-') ? -1 : 1;
  return found.map((account) => [key(account), account])
    .sort(([first], [second]) => (first < second ? -direction : first > second ? direction : 0))
    .map(([, account]) => account);
}

/** Return a function that reports whether the filters let a seller through. */
export function predicate(filters) {
  const words = filters.q.toLowerCase().split(/\s+/).filter(Boolean);
  const checks = [
    words.length && ((account) => words.every((word) => textOf(account).includes(word) || isPartOfId(account, word))),
    filters.state && ((account) => account.state === filters.state),
    filters.marketplace && ((account) => account.marketplace === filters.marketplace),
    filters.ends && endCheck(filters.ends),
    filters.verified && ((account) => Boolean(account.verifiedTime) === (filters.verified === 'yes')),
    filters.throttled && ((account) => store.throttled.has(account.id)),
  ].filter(Boolean);
  return (account) => checks.every((check) => check(account));
}

function endCheck(ends) {
  if (ends === 'unknown') return (account) => account.state === 'ACTIVE' && !account.authorizationExpireTime;
  const now = Date.now();
  const from = ends === 'ended' ? -Infinity : now;
  const to = ends === 'ended' ? now : now + Number(ends) * DAY;
  return (account) => {
    const end = account.authorizationExpireTime && account.state === 'ACTIVE' ? Date.parse(account.authorizationExpireTime) : NaN;
    return end >= from && end < to;
  };
}

/** Report whether a word is a part of the account ID. Short words are in many IDs by chance. */
function isPartOfId(account, word) {
  return word.length >= 8 && account.id.includes(word);
}

/** Return what the search looks at: Amazon's ID, the marketplace, the user's own names and the application's name. */
function textOf(account) {
  let text = texts.get(account);
  if (text === undefined) {
    const application = store.applications.get(account.applicationId);
    text = [account.amazonSellerId, account.marketplace, ...ownNames(account), applicationWords(application)].join(' ').toLowerCase();
    if (application) texts.set(account, text);
  }
  return text;
}
