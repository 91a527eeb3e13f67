// What the page says about an action: a notice at the top, and the refusals of requests.
import {Refusal} from '../api/edge.js';
import {at, fill} from './elements.js';

let endSession = () => {};

/** Call `end` with the reason when the edge no longer accepts the session. */
export function onSessionRefused(end) {
  endSession = end;
}

/** Show a notice; without words, show none. */
export function tell(words, bad = false) {
  fill(at('notice-text'), words);
  at('notice').hidden = !words;
  at('notice').classList.toggle('bad', bad);
}

/** Run an action. A refusal goes to `refused`, by default to the notice; without a valid session the session ends. */
export async function tried(work, refused = (error) => tell(error.sentence, true)) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 401 && error.reason === 'CALLER_UNAUTHENTICATED') endSession(error.detail);
    else refused(error);
    return null;
  }
}

/** Ask in a dialog before an action; return whether the person agrees. `typed` must be typed exactly, if given. */
export function confirmed({title, text, action, keep = 'Cancel', typed = ''}) {
  const dialog = at('confirm-dialog');
  const box = at('confirm-typed');
  at('confirm-title').textContent = title;
  at('confirm-text').textContent = text;
  at('confirm-action').textContent = action;
  at('confirm-keep').textContent = keep;
  at('confirm-field').hidden = !typed;
  at('confirm-label').textContent = `Type “${typed}” to confirm`;
  box.value = '';
  box.required = Boolean(typed);
  const check = () => {
    at('confirm-action').disabled = Boolean(typed) && box.value.trim() !== typed;
  };
  box.oninput = check;
  check();
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), {once: true});
  });
}
