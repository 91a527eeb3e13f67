// The calls that this tab made, the newest first. Only their outcome is kept, never a body; they end with the tab.

const MOST = 200;
const calls = [];
const listeners = new Set();

/** Record a call: account, operation, method, status, ms, requestId. */
export function recordCall(call) {
  calls.unshift({...call, time: Date.now()});
  calls.length = Math.min(calls.length, MOST);
  for (const listener of listeners) listener();
}

/** Return the calls of an account; of all accounts without one. */
export function recentCalls(account = '') {
  return calls.filter((call) => !account || call.account === account);
}

// The next user of the tab sees none of them.
document.addEventListener('session-ended', () => { calls.length = 0; });

/** Call `listener` after each call until the signal aborts. */
export function onCall(listener, signal) {
  listeners.add(listener);
  signal.addEventListener('abort', () => listeners.delete(listener));
}
