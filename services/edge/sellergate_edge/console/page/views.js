// What things look like. Everything that came from outside goes in as text, never as markup.

const DAY = 24 * 3600 * 1000;
const SOON_DAYS = 30;
const STATES = {
  ACTIVE: ['Active', 'good'],
  INACTIVE: ['Disconnected', 'off'],
  AUTHORIZATION_REVOKED: ['Revoked', 'bad'],
};
const OUTCOMES = {OK: 'good', FAILED: 'bad', WARNING: 'warn', SKIPPED: 'off', CACHED: 'off'};
const SOURCES = {CATALOGUE: 'published', HEADER: 'told by Amazon', BACKOFF: 'lowered after 429'};

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

/** Put words into an element that is hidden without any. */
export function fill(place, words) {
  place.textContent = words;
  place.hidden = !words;
}

export function stateChip(state) {
  const [words, kind] = STATES[state] ?? [state, 'off'];
  return element('span', {class: `state ${kind}`}, words);
}

/** Say how many days are left until a time, in a chip that warns. */
export function daysLeft(time) {
  if (!time) return 'end unknown';
  const days = Math.floor((new Date(time) - Date.now()) / DAY);
  const kind = days < 0 ? 'bad' : days < SOON_DAYS ? 'warn' : 'good';
  return element('span', {class: `state ${kind}`}, days < 0 ? 'ended' : days === 1 ? '1 day left' : `${days} days left`);
}

export function accountCard(account, application, isOpen) {
  const line = element(
    'span', {class: 'line'}, element('strong', {}, `${account.amazonSellerId} · ${account.marketplace}`), stateChip(account.state)
  );
  const end = (what, time) => element('span', {class: 'end'}, `${what} `, daysLeft(time));
  const ends = element('small', {}, end('authorization', account.authorizationExpireTime));
  if (application?.secretExpireTime) ends.append(end('client secret', application.secretExpireTime));
  return element('button', {type: 'button', class: 'account', 'aria-current': String(isOpen)}, line, ends);
}

export function stageRow(stage) {
  return element(
    'li', {},
    element('strong', {}, stage.name),
    element('span', {class: `state ${OUTCOMES[stage.outcome] ?? 'off'}`}, outcomeWords(stage)),
    element('span', {class: 'why'}, stage.reason),
    element('span', {class: 'ms'}, `${stage.ms < 10 ? stage.ms.toFixed(1) : Math.round(stage.ms)} ms`)
  );
}

function outcomeWords(stage) {
  if (stage.outcome !== 'CACHED') return stage.outcome.toLowerCase();
  const minutes = Math.round(stage.ageSeconds / 60);
  return stage.ageSeconds < 90 ? `from ${Math.round(stage.ageSeconds)} s ago` : `from ${minutes} min ago`;
}

/** Say what the stages of a check show together: only what was tried now and worked reads as working. */
export function verdict(stages) {
  if (stages.some((stage) => stage.outcome === 'FAILED')) return 'It does not work';
  const call = stages.find((stage) => stage.name === 'call');
  if (call?.outcome !== 'OK') return 'No call was made';
  const token = stages.find((stage) => stage.name === 'token');
  return token?.outcome === 'OK' ? 'It works' : 'The call works; the refresh token was not tried now';
}

/** Draw a bucket, into the row that shows it already if there is one, so that its bar moves. */
export function quotaRow(quota, row = emptyQuotaRow()) {
  const share = quota.burst ? Math.min(1, quota.remaining / quota.burst) : 0;
  const [name, rate] = row.querySelectorAll('.line span');
  const bar = row.querySelector('.bar');
  name.textContent = quota.operation;
  rate.textContent = `${quota.remaining} of ${quota.burst} · ${rateWords(quota.rate)} ${SOURCES[quota.source] ?? ''}`;
  bar.setAttribute('aria-label', `Calls left for ${quota.operation}`);
  bar.setAttribute('aria-valuemax', quota.burst);
  bar.setAttribute('aria-valuenow', quota.remaining);
  bar.classList.toggle('low', quota.remaining < 1);
  bar.firstChild.style.setProperty('--share', share);
  return row;
}

function emptyQuotaRow() {
  const line = element('div', {class: 'line'}, element('span', {class: 'name'}), element('span', {class: 'rate'}));
  return element('li', {}, line, element('div', {class: 'bar', role: 'meter', 'aria-valuemin': '0'}, element('span')));
}

function rateWords(rate) {
  if (rate >= 1) return `${+rate.toFixed(2)} a second,`;
  const seconds = 1 / rate;
  return seconds < 90 ? `1 in ${+seconds.toFixed(1)} s,` : `1 in ${+(seconds / 60).toFixed(1)} min,`;
}
