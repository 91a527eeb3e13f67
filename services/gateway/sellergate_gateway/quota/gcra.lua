-- Buckets of quota for all replicas at once: the arithmetic of quota.Gauge, by the clock of Redis.
-- ARGV[1] is what to do. Numbers go out as text, for Redis cuts them to integers.
local GROWTH, GROWTH_A_CALL = 0.0015, 0.003
local LEAST_CUT, CUT_MARGIN, WINDOW = 0.3, 0.98, 2
local SAME = 0.000003
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000

local function text(number) return string.format('%.9g', number) end
local function moment(number) return string.format('%.6f', number) end

local function load(key, rate, burst)
  local s = redis.call('HMGET', key, 'tat', 'interval', 'blocked_until', 'learned', 'cut', 'cut_at', 'since', 'passed')
  local g = {key = key, burst = burst, tat = tonumber(s[1]) or 0, blocked_until = tonumber(s[3]) or 0, learned = tonumber(s[4]) or 0,
    cut = tonumber(s[5]) or 0, cut_at = tonumber(s[6]) or 0, since = tonumber(s[7]) or 0, passed = tonumber(s[8]) or 0}
  g.base = g.learned > 0 and g.learned or rate
  local growth = math.min(GROWTH, GROWTH_A_CALL * g.cut)
  g.rate = g.cut > 0 and math.min(g.base, g.cut * (1 + growth * (now - g.cut_at))) or g.base
  g.interval = 1 / g.rate
  g.debt = math.max(0, g.tat - now) * g.interval / (tonumber(s[2]) or g.interval)
  g.tolerance = (burst - 1) * g.interval
  g.wait = math.max(0, g.debt - g.tolerance, g.blocked_until - now)
  return g
end

local function store(g, ...)
  redis.call('HSET', g.key, 'tat', moment(now + g.debt), 'interval', text(g.interval), ...)
  -- What was learned is worth keeping for an hour after the bucket is full again.
  redis.call('PEXPIRE', g.key, math.ceil((g.debt + 3600) * 1000))
end

local function take(g)
  g.debt = g.debt + g.interval
  store(g, 'passed', g.passed + 1)
  return moment(now + g.debt)
end

-- For each call: longest wait, 1 when its last bucket is a gate, number of buckets, then rate and burst of each.
-- Returns for each call {how, wait, rate of the first bucket, what each bucket's tat became}; how: 0 refused, 1 taken,
-- 2 only the gate was taken, since it makes the call wait: the other buckets must not be held meanwhile.
if ARGV[1] == 'admit' then
  local at, nth, answers = 2, 0, {}
  while ARGV[at] do
    local longest, gated, count = tonumber(ARGV[at]), ARGV[at + 1] == '1', tonumber(ARGV[at + 2])
    at = at + 3
    local gauges, wait = {}, 0
    for i = 1, count do
      nth = nth + 1
      gauges[i] = load(KEYS[nth], tonumber(ARGV[at]), tonumber(ARGV[at + 1]))
      wait = math.max(wait, gauges[i].wait)
      at = at + 2
    end
    local first = text(gauges[1].rate)
    local how = 1
    if gated and gauges[count].wait > 0 then
      how, wait, gauges = 2, gauges[count].wait, {gauges[count]}
    end
    local answer = {how, moment(wait), first}
    if wait > longest then
      answer[1] = 0
    else
      for i, g in ipairs(gauges) do answer[3 + i] = take(g) end
    end
    answers[#answers + 1] = answer
  end
  return answers
end

-- Rate and burst of a bucket and the seconds for which nobody may go, after Amazon's 429. Returns {rate before, rate now, shift}.
if ARGV[1] == 'throttled' then
  local g, seconds = load(KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3])), tonumber(ARGV[4])
  local before, shift, lasted = g.rate, 0, now - g.since
  if g.since == 0 or lasted > 3600 then
    g.since, g.passed = now, 0
  elseif lasted < math.max(WINDOW, 2 * g.interval) then
    g.passed = g.passed - 1
  else
    -- From one empty bucket to the next, what passed is what flowed in.
    local flowed = math.max(0, g.passed - 1) / lasted
    g.cut = math.max(LEAST_CUT * g.rate, math.min(CUT_MARGIN * flowed, 0.95 * g.rate))
    g.cut_at, g.since, g.passed = now, now, 0
    g.debt, g.tolerance = g.debt * g.rate / g.cut, (g.burst - 1) / g.cut
    g.rate, g.interval = g.cut, 1 / g.cut
  end
  if now >= g.blocked_until then
    shift = seconds
    g.debt = math.max(g.debt, g.tolerance) + seconds
    g.blocked_until = now + seconds
  end
  store(g, 'blocked_until', moment(g.blocked_until), 'cut', text(g.cut), 'cut_at', moment(g.cut_at), 'since', moment(g.since),
    'passed', g.passed)
  return {text(before), text(g.rate), text(shift)}
end

-- A rate that Amazon told, for each bucket.
if ARGV[1] == 'learn' then
  for i, key in ipairs(KEYS) do
    redis.call('HSET', key, 'learned', ARGV[i + 1])
    if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, 3600000) end
  end
  return 1
end

-- Somebody leaves who took these; only the newest slot can be given back, for all others have been promised what follows theirs.
if ARGV[1] == 'leave' then
  for i, key in ipairs(KEYS) do
    local s = redis.call('HMGET', key, 'tat', 'interval')
    if s[1] and math.abs(s[1] - ARGV[i + 1]) < SAME then redis.call('HSET', key, 'tat', moment(tonumber(s[1]) - tonumber(s[2]))) end
  end
  return 1
end

-- Rate and burst of a bucket. Returns {rate, wait, debt, 1 learned | 2 cut | 0}.
local g = load(KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
local source = g.rate < g.base and 2 or g.learned > 0 and 1 or 0
return {text(g.rate), moment(g.wait), moment(g.debt), source}
