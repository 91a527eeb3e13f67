-- Buckets of quota for all replicas at once: the arithmetic of quota.gcra.GcraState, by the clock of Redis.
-- ARGV[1] is the command. Numbers are returned as text, because Redis cuts them to integers.
local GUARD, LONE_GUARD, LARGEST_GUARD, LARGEST_LONE_GUARD, SHORTEST_LONE_GUARD = 0.1, 0.02, 1.0, 0.04, 0.005
local RECOVERY, LONGEST_RECOVERY, SAME_CUT = 40, 1280, 0.9
local PROOF, CUT_MARGIN, SMALLEST_CUT, DEMAND = 0.95, 0.98, 0.3, 0.8
local WINDOW, FORGOTTEN, LONGEST_PAUSE = 2, 600, 8
local SAME = 0.000003
local KEPT_SECONDS = 3600
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000

local function text(number) return string.format('%.9g', number) end
local function moment(number) return string.format('%.6f', number) end

local function guards(burst, rate)
  if burst > 1 then return math.min(GUARD, 0.5 / rate), LARGEST_GUARD / rate end
  local largest = math.max(LARGEST_LONE_GUARD / rate, math.min(SHORTEST_LONE_GUARD, 0.25 / rate))
  return math.min(LONE_GUARD, largest / 2), largest
end

-- The guard in force, and its largest value.
local function guard_of(g)
  local first, largest = guards(g.burst, g.rate)
  return math.min(g.taught > 0 and g.taught or first, largest), largest
end

-- `known`: the tat that the caller remembers, for a bucket that Redis has lost.
local function load(key, rate, burst, known)
  local s = redis.call('HMGET', key, 'tat', 'interval', 'blocked_until', 'learned', 'cut', 'cut_at', 'recovery', 'guard', 'issued')
  local g = {key = key, burst = burst, tat = tonumber(s[1]) or tonumber(known) or 0, blocked_until = tonumber(s[3]) or 0,
    learned = tonumber(s[4]) or 0, cut = tonumber(s[5]) or 0, cut_at = tonumber(s[6]) or 0, recovery = tonumber(s[7]) or 0,
    taught = tonumber(s[8]) or 0, issued = tonumber(s[9]) or 0}
  g.base = g.learned > 0 and g.learned or rate
  g.rate = g.base
  if g.cut > 0 then
    local returned = (now - g.cut_at) / (g.recovery > 0 and g.recovery or RECOVERY)
    g.rate = math.min(g.base, g.cut + math.max(0, g.base - g.cut) * returned)
  end
  g.interval = 1 / g.rate
  g.debt = math.max(0, g.tat - now) * g.interval / (tonumber(s[2]) or g.interval)
  g.tolerance = (burst - 1) * g.interval
  local early = g.debt - g.tolerance
  g.wait = math.max(early > SAME and early + guard_of(g) or 0, g.blocked_until - now)
  return g
end

local function store(g, ...)
  redis.call('HSET', g.key, 'tat', moment(now + g.debt), 'interval', text(g.interval), ...)
  redis.call('PEXPIRE', g.key, math.ceil((g.debt + KEPT_SECONDS) * 1000))
end

local function reserve(g)
  if g.burst == 1 then g.debt = math.max(g.debt, g.wait) end
  g.debt = g.debt + g.interval
  g.issued = g.issued + 1
  store(g, 'issued', g.issued)
end

-- For each call: longest wait, 1 when its last bucket is a first stage, number of buckets, then rate, burst and known tat of each.
-- Returns for each call {outcome, wait or rate of the first bucket, then wait, number and new tat of each bucket}; outcome: 0 refused,
-- 1 reserved, 2 only the first stage was reserved, since it makes the call wait.
if ARGV[1] == 'reserve' then
  local at, nth, responses = 2, 0, {}
  while ARGV[at] do
    local longest, staged, count = tonumber(ARGV[at]), ARGV[at + 1] == '1', tonumber(ARGV[at + 2])
    at = at + 3
    local buckets, wait = {}, 0
    for i = 1, count do
      nth = nth + 1
      buckets[i] = load(KEYS[nth], tonumber(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2])
      wait = math.max(wait, buckets[i].wait)
      at = at + 3
    end
    local response = {1, text(buckets[1].rate)}
    if staged and buckets[count].wait > 0 then
      response[1], wait, buckets = 2, buckets[count].wait, {buckets[count]}
    end
    if wait > longest then
      response = {0, moment(wait)}
    else
      for _, g in ipairs(buckets) do
        reserve(g)
        response[#response + 1] = moment(math.max(0, g.wait))
        response[#response + 1] = g.issued
        response[#response + 1] = moment(now + g.debt)
      end
    end
    responses[#responses + 1] = response
  end
  return responses
end

-- Rate and burst of a bucket and the seconds for which no call may go, after Amazon's 429. Returns {rate before, rate now, shift}.
if ARGV[1] == 'throttled' then
  local g, seconds = load(KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3])), tonumber(ARGV[4])
  local s = redis.call('HMGET', g.key, 'since', 'refused', 'blocked', 'mark', 'streak', 'before')
  local since, refused, blocked = tonumber(s[1]) or 0, (tonumber(s[2]) or 0) + 1, tonumber(s[3]) or 0
  local mark, streak = tonumber(s[4]) or 0, tonumber(s[5]) or 0
  local rate_before, shift, in_a_row, before = g.rate, 0, since > 0 and g.issued - mark <= 1, tonumber(s[6]) or 0
  local open = now - since - math.max(0, blocked - refused / g.rate)
  if since == 0 or now - since > FORGOTTEN or g.issued - before + refused + g.burst < DEMAND * g.rate * open then
    since, before, refused, blocked = now, g.issued, 0, 0
  end
  local succeeded = g.issued - before - refused
  open = now - since - math.max(0, blocked - refused / g.rate)
  if open >= math.max(WINDOW, 2 / g.rate) and succeeded >= 2 and succeeded + 1 < PROOF * g.rate * open then
    local flowed = succeeded / open
    if g.burst == 1 then flowed = (flowed + math.min(g.rate, (g.issued - before) / open)) / 2 end
    local lower = math.min(g.base, math.max(SMALLEST_CUT * g.rate, CUT_MARGIN * flowed))
    local recovery = g.recovery > 0 and g.recovery or RECOVERY
    if g.cut == 0 or now - g.cut_at > 2 * recovery then
      recovery = RECOVERY
    elseif lower > SAME_CUT * g.cut then
      recovery = math.min(2 * recovery, LONGEST_RECOVERY)
    end
    g.cut, g.cut_at, g.recovery = lower, now, recovery
    since, before, refused, blocked = now, g.issued, 0, 0
    g.debt, g.tolerance = g.debt * g.rate / lower, (g.burst - 1) / lower
    g.rate, g.interval = lower, 1 / lower
  end
  if now >= g.blocked_until then
    local guard, largest = guard_of(g)
    g.taught = math.min(2 * guard, largest)
    streak = in_a_row and streak + 1 or 0
    mark = g.issued
    shift = math.min(seconds * 2 ^ streak, math.max(seconds, LONGEST_PAUSE))
    g.blocked_until = now + shift
    blocked = blocked + shift
    g.debt = math.max(g.debt, g.tolerance) + shift
  end
  store(g, 'blocked_until', moment(g.blocked_until), 'cut', text(g.cut), 'cut_at', moment(g.cut_at), 'recovery', text(g.recovery),
    'guard', text(g.taught), 'since', moment(since), 'before', before, 'refused', refused, 'blocked', text(blocked), 'mark', mark,
    'streak', streak)
  return {text(rate_before), text(g.rate), text(shift)}
end

-- A rate that Amazon reported: for each bucket its rate in the catalogue, its burst and its share of the reported rate.
-- Returns {rate before, rate now} of the first one.
if ARGV[1] == 'rate' then
  local response
  for i, key in ipairs(KEYS) do
    local g = load(key, tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]))
    local reported = tonumber(ARGV[3 * i + 1])
    redis.call('HSET', key, 'learned', ARGV[3 * i + 1])
    if g.cut > 0 and g.recovery > RECOVERY then
      redis.call('HSET', key, 'cut', text(g.rate), 'cut_at', moment(now), 'recovery', RECOVERY)
    end
    if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, KEPT_SECONDS * 1000) end
    response = response or {text(g.rate), text(load(key, reported, g.burst).rate)}
  end
  return response
end

-- Slots that are given back, a number for each bucket. Returns the interval of each.
if ARGV[1] == 'cancel' then
  local intervals = {}
  for i, key in ipairs(KEYS) do
    local s = redis.call('HMGET', key, 'tat', 'interval')
    local interval = tonumber(s[2]) or 0
    if s[1] then redis.call('HSET', key, 'tat', moment(tonumber(s[1]) - tonumber(ARGV[i + 1]) * interval)) end
    intervals[i] = text(interval)
  end
  return intervals
end

-- A call that was sent so many seconds after its slot.
if ARGV[1] == 'delay' then
  local s = redis.call('HMGET', KEYS[1], 'tat', 'interval')
  if s[1] then
    local tat = math.max(tonumber(s[1]) + tonumber(ARGV[2]), now + tonumber(s[2]))
    redis.call('HSET', KEYS[1], 'tat', moment(tat))
  end
  return 1
end

-- Rate and burst of a bucket. Returns {rate, wait, debt, 1 reported | 2 lowered | 0}.
local g = load(KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
local source = g.rate < g.base and 2 or g.learned > 0 and 1 or 0
return {text(g.rate), moment(math.max(0, g.wait)), moment(g.debt), source}
