// What needs attention, as counts that lead to the filtered list.
import {element} from '../shell/elements.js';
import {DAY, daysUntil, numberWords, SOON_DAYS} from '../shell/words.js';
import {addressOf} from './filters.js';
import {store} from './store.js';

const soon = {ends: String(SOON_DAYS)};
const TILES = [
  ['All', {}, () => true, ''],
  ['Active', {state: 'ACTIVE'}, (one) => one.state === 'ACTIVE', 'good'],
  ['Revoked', {state: 'AUTHORIZATION_REVOKED'}, (one) => one.state === 'AUTHORIZATION_REVOKED', 'bad'],
  [`End in ${SOON_DAYS} days`, soon, (one, now) => one.state === 'ACTIVE' && endsIn(one, now, SOON_DAYS), 'warn'],
  ['Not verified', {verified: 'no'}, (one) => one.verifiedTime === null, 'off'],
  ['Throttled now', {throttled: 'yes'}, (one) => store.throttled.has(one.id), 'warn'],
  ['Disconnected', {state: 'INACTIVE'}, (one) => one.state === 'INACTIVE', 'off'],
];

function endsIn(account, now, days) {
  const end = account.authorizationExpireTime ? Date.parse(account.authorizationExpireTime) : NaN;
  return end >= now && end < now + days * DAY;
}

/** Report whether the edge says which sellers were verified. It is taken to, until a seller without it comes from an earlier release. */
export function knowsVerified() {
  const [first] = store.accounts.values();
  return !first || 'verifiedTime' in first;
}

/** Return the tiles. `draw(filters)` counts again and marks the one that the list shows. */
export function attention() {
  const place = element('nav', {class: 'tiles', 'aria-label': 'Sellers by what needs attention'});
  const tiles = TILES.map(([words, filters, counts, kind]) => {
    const number = element('strong', {}, '–');
    const title = words === 'Throttled now' ? 'Sellers whose quota was used up when this tab last saw it' : null;
    const tile = element('a', {class: `tile ${kind}`, href: addressOf({...filters, sort: 'connected'}), title}, number, element('span', {}, words));
    return {tile, number, filters, counts, words};
  });
  const secrets = element('strong', {}, '–');
  const applications = element('a', {class: 'tile warn', href: '/console/applications'}, secrets, element('span', {}, 'Secrets ending'));
  place.append(...tiles.map(({tile}) => tile), applications);
  const draw = (shown) => {
    const now = Date.now();
    const accounts = [...store.accounts.values()];
    const ending = [...store.applications.values()].filter(({secretExpireTime}) => secretExpireTime && daysUntil(secretExpireTime) < SOON_DAYS);
    secrets.textContent = store.applications.size || store.isComplete ? numberWords(ending.length) : '–';
    applications.classList.toggle('none', !ending.length);
    for (const {tile, number, filters, counts, words} of tiles) {
      const count = accounts.reduce((sum, account) => sum + (counts(account, now) ? 1 : 0), 0);
      number.textContent = accounts.length || store.isComplete ? numberWords(count) : '–';
      tile.classList.toggle('none', !count);
      tile.hidden = words === 'Not verified' && !knowsVerified();
      const same = Object.entries(shown).every(([name, value]) => name === 'sort' || value === (filters[name] ?? ''));
      if (same) tile.setAttribute('aria-current', 'true');
      else tile.removeAttribute('aria-current');
    }
  };
  return {place, draw};
}
