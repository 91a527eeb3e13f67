// The life of an authorization: connected, changed, today, and its end.
import {card, element, svg} from '../shell/elements.js';
import {dateWords, DAY} from '../shell/words.js';

const YEAR = 365 * DAY;
const WORDS = {ACTIVE: 'Last change', INACTIVE: 'Disconnected', AUTHORIZATION_REVOKED: 'Revoked by Amazon'};
const KINDS = {ACTIVE: 'good', INACTIVE: 'off', AUTHORIZATION_REVOKED: 'bad'};

/** Return the card of the timeline. */
export function timelineCard() {
  const line = element('div', {class: 'timeline'});
  const events = element('ol', {class: 'events'});
  return {
    place: card('Authorization', line, events),
    draw: (account) => {
      const happened = eventsOf(account);
      line.replaceChildren(image(account, happened));
      events.replaceChildren(...happened.map(({words, time, kind}) => element('li', {class: kind},
        element('strong', {}, words), element('time', {datetime: new Date(time).toISOString()}, dateWords(time)))));
    },
  };
}

function eventsOf(account) {
  const end = account.state === 'ACTIVE' && account.authorizationExpireTime;
  const events = [
    {words: 'Connected', time: Date.parse(account.createTime), kind: 'good'},
    end && {words: 'Consent', time: Date.parse(end) - YEAR, kind: 'good'},
    account.verifiedTime && {words: 'Verified', time: Date.parse(account.verifiedTime), kind: 'good'},
    {words: WORDS[account.state] ?? account.state, time: Date.parse(account.updateTime), kind: KINDS[account.state] ?? 'off'},
    {words: 'Today', time: Date.now(), kind: 'now'},
    end && {words: Date.parse(end) < Date.now() ? 'Ended' : 'Ends', time: Date.parse(end), kind: 'end'},
  ].filter(Boolean);
  return events.filter(({words, time}) => words !== 'Consent' || time > Date.parse(account.createTime) + DAY)
    .sort((first, second) => first.time - second.time);
}

function image(account, events) {
  const first = events[0].time;
  const last = Math.max(events.at(-1).time, first + DAY);
  const x = (time) => 8 + (584 * (time - first)) / (last - first);
  const now = x(Date.now());
  const kind = KINDS[account.state] ?? 'off';
  const label = events.map(({words, time}) => `${words} ${dateWords(time)}`).join(', ');
  return svg('svg', {viewBox: '0 0 600 24', role: 'img', 'aria-label': label, preserveAspectRatio: 'none'},
    svg('line', {x1: 8, x2: 592, y1: 12, y2: 12, class: 'path'}),
    svg('line', {x1: 8, x2: now, y1: 12, y2: 12, class: `path ${kind}`}),
    events.map((event) => svg('line', {x1: x(event.time), x2: x(event.time), y1: 4, y2: 20, class: `mark ${event.kind}`})));
}
