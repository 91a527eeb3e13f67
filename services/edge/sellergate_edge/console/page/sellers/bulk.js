// Actions on many sellers at once: verify, disconnect, delete. Each seller is one request, a few at a time.
import {accountPath, ask, Refusal} from '../api/edge.js';
import {element} from '../shell/elements.js';
import {confirmed} from '../shell/notices.js';
import {numberWords, sellersWords} from '../shell/words.js';
import {sellerAddress} from './row.js';
import {refresh, store} from './store.js';

const AT_ONCE = 4;
const TRIES = 4;
const ACTIONS = {
  verify: {
    words: 'Verify', doing: 'Verifying', done: 'verified',
    request: async (id) => {
      const found = await ask('POST', accountPath(id, '/verify'));
      const failed = found.stages.find((stage) => stage.outcome === 'FAILED');
      if (failed) throw new Refusal(0, {detail: failed.reason});
    },
  },
  disconnect: {
    words: 'Disconnect', doing: 'Disconnecting', done: 'disconnected', isDanger: true,
    text: 'Programs can make no calls for these sellers until they are connected again. Nothing is deleted.',
    request: (id) => ask('DELETE', accountPath(id)),
  },
  delete: {
    words: 'Delete …', doing: 'Deleting', done: 'deleted', isDanger: true, isFinal: true,
    text: 'The accounts and their secrets are deleted permanently. The sellers must authorize again to come back.',
    request: (id) => ask('DELETE', accountPath(id), {hard: 'true'}),
  },
};

/** Return the bar of actions. `selection()` returns the selected ids, and `clear()` ends the selection. */
export function bulkBar(selection, clear) {
  const words = element('span', {role: 'status'});
  const buttons = Object.entries(ACTIONS).map(([kind, action]) => element(
    'button', {type: 'button', class: action.isDanger ? 'danger small' : 'small', onclick: () => begin(kind)}, action.words
  ));
  const stop = element('button', {type: 'button', class: 'quiet small', onclick: () => ending.abort()}, 'Stop');
  const clearing = element('button', {type: 'button', class: 'quiet small', onclick: () => { report.replaceChildren(); clear(); }}, 'Clear');
  const report = element('div', {class: 'report'});
  const bar = element('div', {class: 'bulk', hidden: true}, words, element('span', {class: 'buttons'}, buttons, stop, clearing));
  let ending = null;

  const draw = () => {
    const count = selection().length;
    bar.hidden = !count && !ending;
    stop.hidden = !ending;
    for (const button of [...buttons, clearing]) button.hidden = Boolean(ending);
    if (!ending) words.textContent = `${sellersWords(count)} selected`;
  };

  async function begin(kind) {
    const action = ACTIONS[kind];
    const ids = selection();
    const title = `${action.words.replace(' …', '')} ${sellersWords(ids.length)}?`;
    const typed = action.isFinal ? `delete ${ids.length}` : '';
    if (action.text && !await confirmed({title, text: action.text, action: title.slice(0, -1), keep: 'Keep them', typed})) return;
    ending = new AbortController();
    report.replaceChildren();
    draw();
    let failures;
    try {
      failures = await run(action, ids, ending.signal, (done) => {
        words.textContent = `${action.doing} ${numberWords(done)} of ${numberWords(ids.length)} …`;
      });
    } finally {
      ending = null;
      draw();
    }
    const succeeded = failures.done - failures.length;
    report.replaceChildren(summary(action, succeeded, ids.length, failures));
    if (failures.done === ids.length) clear();
    draw();
  }
  return {bar, report, draw};
}

function summary(action, succeeded, count, failures) {
  const name = (id) => store.accounts.get(id)?.amazonSellerId ?? id;
  const list = failures.slice(0, 50).map(([id, why]) => element('li', {}, element('a', {href: sellerAddress(id)}, name(id)), ` ${why}`));
  const words = `${numberWords(succeeded)} of ${sellersWords(count)} ${action.done}${failures.length ? `, ${numberWords(failures.length)} failed` : ''}.`;
  return element('div', {class: failures.length ? 'notice bad' : 'notice', role: 'status'}, element('p', {}, words), list.length > 0 && element('ul', {}, list));
}

/** Run an action on each seller; return the failures, with the number of sellers tried as `done`. */
async function run(action, ids, signal, progress) {
  const waiting = [...ids];
  const failures = Object.assign([], {done: 0});
  const work = async () => {
    while (waiting.length && !signal.aborted) {
      const id = waiting.shift();
      try {
        await patiently(() => action.request(id), signal);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        failures.push([id, error.sentence]);
        if (error.reason === 'CALLER_UNAUTHENTICATED') return;
      }
      // A refused verification changes the state too.
      await refresh(id).catch(() => {});
      failures.done += 1;
      progress(failures.done);
    }
  };
  await Promise.all(Array.from({length: AT_ONCE}, work));
  return failures;
}

/** Make a request, again after the time that a refusal for too many requests names. Throws the last refusal. */
async function patiently(request, signal) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await request();
    } catch (error) {
      if (error.status !== 429 || tries === TRIES || signal.aborted) throw error;
      await new Promise((resolve) => { setTimeout(resolve, 1000 * Math.max(1, error.retryAfter)); });
    }
  }
}
