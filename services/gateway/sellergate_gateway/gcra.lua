-- One slot in every bucket of a call, or none: the arithmetic of quota.Gauge, for all replicas at once.
-- KEYS: the buckets. ARGV: longest wait in seconds, then rate and burst of each bucket.
-- Returns {admitted 0|1, wait, rate of the first bucket}; numbers as text, for Redis cuts them to integers.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local max_wait = tonumber(ARGV[1])
local wait, first_rate, next_tat, intervals = 0, 0, {}, {}
for i, key in ipairs(KEYS) do
  local state = redis.call('HMGET', key, 'tat', 'interval', 'blocked_until', 'learned')
  local rate = tonumber(state[4]) or tonumber(ARGV[2 * i])
  local interval = 1 / rate
  local owed = math.max(0, (tonumber(state[1]) or 0) - now)
  local reckoned = tonumber(state[2]) or interval
  local debt = owed * interval / reckoned
  local tolerance = (tonumber(ARGV[2 * i + 1]) - 1) * interval
  wait = math.max(wait, debt - tolerance, (tonumber(state[3]) or 0) - now)
  next_tat[i], intervals[i] = now + debt + interval, interval
  if i == 1 then first_rate = rate end
end
if wait > max_wait then return {0, string.format('%.6f', wait), string.format('%.9g', first_rate)} end
for i, key in ipairs(KEYS) do
  redis.call('HSET', key, 'tat', string.format('%.6f', next_tat[i]), 'interval', string.format('%.9g', intervals[i]))
  -- A learned rate is worth keeping for an hour after the bucket is full again.
  redis.call('PEXPIRE', key, math.ceil((next_tat[i] - now + 3600) * 1000))
end
return {1, string.format('%.6f', wait), string.format('%.9g', first_rate)}
