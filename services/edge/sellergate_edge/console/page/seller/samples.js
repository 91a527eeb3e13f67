// The quota of operations over time, as this tab saw it. The edge keeps no past values.

const KEPT_MILLISECONDS = 10 * 60 * 1000;
const byAccount = new Map();

/** Keep what the edge reports about an account's quota now. */
export function keepSample(account, quotas, now = Date.now()) {
  if (!byAccount.has(account)) byAccount.set(account, new Map());
  const byOperation = byAccount.get(account);
  for (const {operation, remaining, burst} of quotas) {
    const samples = byOperation.get(operation) ?? [];
    samples.push({time: now, used: burst - remaining, remaining, burst});
    while (samples[0].time < now - KEPT_MILLISECONDS) samples.shift();
    byOperation.set(operation, samples);
  }
}

/** Return the samples of an operation, the oldest first. */
export function samplesOf(account, operation) {
  return byAccount.get(account)?.get(operation) ?? [];
}

/** Report whether an operation shows use: calls were made from it, or Amazon reported its rate. */
export function isUsed(account, quota) {
  return quota.remaining < quota.burst || quota.source !== 'CATALOGUE' || samplesOf(account, quota.operation).some((one) => one.used > 0);
}

document.addEventListener('session-ended', () => byAccount.clear());
