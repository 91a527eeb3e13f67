// States, times and rates in words.
import {element} from './elements.js';

export const DAY = 24 * 3600 * 1000;
export const SOON_DAYS = 30;
const STATES = {
  ACTIVE: ['Active', 'good'],
  INACTIVE: ['Disconnected', 'off'],
  AUTHORIZATION_REVOKED: ['Revoked', 'bad'],
};
const DATE = new Intl.DateTimeFormat('en', {year: 'numeric', month: 'short', day: 'numeric'});
const MOMENT = new Intl.DateTimeFormat('en', {dateStyle: 'medium', timeStyle: 'short'});
const CLOCK = new Intl.DateTimeFormat('en', {timeStyle: 'medium', hourCycle: 'h23'});
const NUMBER = new Intl.NumberFormat('en');

export const dateWords = (time) => (time ? DATE.format(new Date(time)) : 'unknown');
export const momentWords = (time) => (time ? MOMENT.format(new Date(time)) : 'unknown');
export const clockWords = (time) => CLOCK.format(new Date(time));
export const numberWords = (number) => NUMBER.format(number);
export const sellersWords = (count) => `${numberWords(count)} ${count === 1 ? 'seller' : 'sellers'}`;

export function chip(words, kind) {
  return element('span', {class: `state ${kind}`}, words);
}

export function stateChip(state) {
  return chip(...(STATES[state] ?? [state, 'off']));
}

/** Return the whole days until a time; negative once it has passed. */
export function daysUntil(time) {
  return Math.floor((new Date(time) - Date.now()) / DAY);
}

/** Return how many days are left until a time, in a chip that warns. */
export function daysLeft(time) {
  if (!time) return 'end unknown';
  const days = daysUntil(time);
  const kind = days < 0 ? 'bad' : days < SOON_DAYS ? 'warn' : 'good';
  return chip(days < 0 ? 'ended' : days === 1 ? '1 day left' : `${days} days left`, kind);
}

/** Return how long an account's authorization lasts. One that is not in use counts no days. */
export function authorizationLeft(account) {
  return account.state === 'ACTIVE' ? daysLeft(account.authorizationExpireTime) : element('span', {class: 'soft'}, '–');
}

/** Return the names that a user gave an account: its reference and its labels. */
export function ownNames(account) {
  const labels = Array.isArray(account.labels) ? account.labels : Object.entries(account.labels ?? {}).map((pair) => pair.filter(Boolean).join(': '));
  return [account.externalRef, ...labels].filter(Boolean);
}

/** Return the name of an application. */
export function applicationWords(application, id = '') {
  return application ? application.name || `LWA client …${application.lwaClientIdHint}` : id;
}

/** Return a rate in calls per second in words. */
export function rateWords(rate) {
  if (!rate) return 'no published rate';
  if (rate >= 1) return `${+rate.toFixed(2)} a second`;
  const seconds = 1 / rate;
  return seconds < 90 ? `1 in ${+seconds.toFixed(1)} s` : `1 in ${+(seconds / 60).toFixed(1)} min`;
}

export function msWords(ms) {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${numberWords(Math.round(ms))} ms`;
}
