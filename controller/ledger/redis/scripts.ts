/** The scripts that Redis runs for the ledger, each one atomic step on the two keys of one tenant. Pure. */

/** How long the answer to an id is remembered after its fate is known, in ms; as in the other adapters. */
const RETENTION_MS = 3_600_000
/** The most ids that one call expires or forgets; the rest follows with the next. */
const SWEEP_IDS_MAX = 100
/** Keys are dropped so long after the last month in them began, in ms. */
const KEYS_LIVE_MS = 200 * 86_400_000
/** Months that are kept of a tenant. */
const MONTHS_KEPT = 12
/** The caller's month may be so many months from Redis' own; further off, one of the clocks is broken. */
const MONTHS_APART_MAX = 2

/*
 * KEYS: 1 the account, a hash; 2 a sorted set of the ids by when something is to be done to them: an open one expires,
 * a closed one is forgotten. ARGV: 1 now in ms, '' for Redis' own TIME; 2 to 4 what the caller has seen: epoch,
 * sequence, id of its last reservation ('' when too long ago to be remembered here).
 *
 * Fields of the account: e epoch (grows with each rebuild), q sequence (grows with each change), n how many ids it has,
 * a the last month that was rebuilt (an absent month after it has nothing in it), m the months; s:M spent, r:M reserved,
 * c:M ceiling of month M; i:ID the state of an id: state|tokens|due|months|answer.
 */
const PRELUDE = `
local A, T = KEYS[1], KEYS[2]
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local function text(number) return string.format('%.0f', number) end

-- Fields are read once and written once, at the end: most calls are one HMGET and one HSET of the account.
local known, dirty = {}, {}
local function get(field)
  if known[field] == nil then known[field] = redis.call('HGET', A, field) end
  return known[field]
end
local function put(field, value) known[field] = value; dirty[field] = true end
local function count(field) return tonumber(get(field) or '0') end
local function add(field, by) if by ~= 0 then put(field, text(count(field) + by)) end end
local function has(field) return get(field) ~= false end
local function remove(field)
  redis.call('HDEL', A, field)
  known[field], dirty[field] = false, nil
end
local function flush()
  local args = {}
  for field in pairs(dirty) do
    args[#args + 1] = field
    args[#args + 1] = known[field]
  end
  if #args > 0 then redis.call('HSET', A, unpack(args)) end
end

-- The calendar month (UTC) of an instant, by the arithmetic of the Gregorian calendar.
local function monthOf(ms)
  local z = math.floor(ms / 86400000) + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return string.format('%04d-%02d', yoe + era * 400 + (month <= 2 and 1 or 0), month)
end
local own = monthOf(now)
local function split(list)
  local months = {}
  for month in string.gmatch(list, '[^,]+') do months[#months + 1] = month end
  return months
end

do
  local wanted = { 'e', 'q', 'n', 's:' .. own, 'r:' .. own, 'c:' .. own, 'i:' .. ARGV[4], 'i:' .. ARGV[5] }
  for at, value in ipairs(redis.call('HMGET', A, unpack(wanted))) do known[wanted[at]] = value end
end
local function keep()
  redis.call('PEXPIRE', A, '${KEYS_LIVE_MS}')
  redis.call('PEXPIRE', T, '${KEYS_LIVE_MS}')
end
local isNewMonth = false
local function changed() add('q', 1) end

local function entryOf(id)
  local packed = get('i:' .. id)
  if not packed then return nil end
  local state, tokens, due, months, answer = string.match(packed, '^(%a)|(%d+)|(%d+)|([^|]*)|(.*)$')
  return { state = state, tokens = tonumber(tokens), due = tonumber(due), months = months, answer = answer }
end
local function write(id, entry, isNew)
  put('i:' .. id, table.concat({ entry.state, text(entry.tokens), text(entry.due), entry.months, entry.answer }, '|'))
  redis.call('ZADD', T, text(entry.state == 'o' and entry.due or now + ${RETENTION_MS}), id)
  if isNew then
    if count('n') == 0 then redis.call('PEXPIRE', T, '${KEYS_LIVE_MS}') end
    add('n', 1)
  end
end
-- An open reservation becomes spending of so many tokens.
local function close(id, entry, tokens)
  for _, month in ipairs(split(entry.months)) do
    if has('s:' .. month) then
      add('r:' .. month, -entry.tokens)
      add('s:' .. month, tokens)
    end
  end
  entry.state = 'c'
  write(id, entry, false)
end
local function sweep()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', T, '-inf', text(now), 'LIMIT', '0', '${SWEEP_IDS_MAX}')) do
    local entry = entryOf(id)
    if entry and entry.state == 'o' then
      close(id, entry, entry.tokens)
    else
      redis.call('ZREM', T, id)
      remove('i:' .. id)
      add('n', -1)
    end
  end
end

local epoch, sequence = count('e'), count('q')
-- What this Redis lacks of what the caller has seen; nil when nothing.
local function lack()
  local seenEpoch, seenSequence, proof = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
  if epoch == 0 or epoch < seenEpoch then return 'LOST' end
  if redis.call('ZCARD', T) ~= count('n') then return 'BROKEN' end
  if epoch == seenEpoch and (sequence < seenSequence or (proof ~= '' and not has('i:' .. proof))) then return 'LOST' end
  return nil
end
local function reply(status, ...)
  flush()
  if isNewMonth then keep() end
  return { status, epoch, count('q'), own, ... }
end
-- Makes sure that a month is there; false when what was used in it has to be asked of the store.
local function open(month)
  if has('s:' .. month) then return true end
  if month <= (get('a') or '') then return false end
  local months = split(get('m') or '')
  months[#months + 1] = month
  table.sort(months)
  while #months > ${MONTHS_KEPT} do
    local old = table.remove(months, 1)
    for _, sort in ipairs({ 's:', 'r:', 'c:' }) do remove(sort .. old) end
    if old > (get('a') or '') then put('a', old) end
  end
  put('m', table.concat(months, ','))
  put('s:' .. month, '0')
  put('r:' .. month, '0')
  isNewMonth = true
  return true
end
local function ordinal(month) return tonumber(string.sub(month, 1, 4)) * 12 + tonumber(string.sub(month, 6, 7)) end
`

const script = (body: string): string => `${PRELUDE}${body}`

/**
 * ARGV: 5 id, 6 tokens, 7 limit or '', 8 the caller's month, 9 ms until it expires, then pairs of a month and the ceiling
 * that the store has recorded for it. It grants only up to the ceiling, so that the store always knows enough.
 */
export const RESERVE: string = script(`
local lacks = lack()
if lacks then return reply(lacks) end
sweep()
local id, tokens, limit, given = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local before = entryOf(id)
if before then return reply('ANSWER', before.answer) end
if math.abs(ordinal(given) - ordinal(own)) > ${MONTHS_APART_MAX} then return reply('CLOCK') end
local months = given == own and { own } or { own, given }
for _, month in ipairs(months) do
  if not open(month) then return reply('RECOUNT', month) end
end
for at = 10, #ARGV, 2 do
  local field = 'c:' .. ARGV[at]
  if tonumber(ARGV[at + 1]) > count(field) then put(field, ARGV[at + 1]) end
end
local tight, used = own, -1
for _, month in ipairs(months) do
  local total = count('s:' .. month) + count('r:' .. month)
  if total > used then tight, used = month, total end
end
local spent, reserved = count('s:' .. tight), count('r:' .. tight)
local joined = table.concat(months, ',')
if limit and used + tokens > limit then
  local left = math.max(0, limit - used)
  local answer = table.concat({ '0', text(spent), text(reserved), text(left), tight }, ' ')
  write(id, { state = 'c', tokens = tokens, due = now, months = joined, answer = answer }, true)
  changed()
  return reply('ANSWER', answer)
end
if limit then
  for _, month in ipairs(months) do
    local need = count('s:' .. month) + count('r:' .. month) + tokens
    if need > count('c:' .. month) then return reply('CEILING', month, need, count('c:' .. month)) end
  end
end
for _, month in ipairs(months) do add('r:' .. month, tokens) end
local answer = table.concat({ '1', text(spent), text(reserved + tokens), '0', tight }, ' ')
write(id, { state = 'o', tokens = tokens, due = now + tonumber(ARGV[9]), months = joined, answer = answer }, true)
changed()
return reply('ANSWER', answer)
`)

/** ARGV: 5 id, 6 tokens. An id that is not known, or not open any more, changes nothing. */
export const SETTLE: string = script(`
local entry = entryOf(ARGV[5])
if entry and entry.state == 'o' then
  close(ARGV[5], entry, entry.due <= now and entry.tokens or tonumber(ARGV[6]))
  changed()
end
sweep()
return reply('DONE')
`)

/** ARGV: 5 id, 6 tokens, 7 month. */
export const SPEND: string = script(`
local lacks = lack()
if lacks then return reply(lacks) end
sweep()
local id, tokens, month = ARGV[5], tonumber(ARGV[6]), ARGV[7]
if entryOf(id) then return reply('DONE') end
if not open(month) then return reply('RECOUNT', month) end
add('s:' .. month, tokens)
local answer = table.concat({ '1', text(count('s:' .. month)), text(count('r:' .. month)), '0', month }, ' ')
write(id, { state = 'c', tokens = tokens, due = now, months = month, answer = answer }, true)
changed()
return reply('DONE')
`)

/** ARGV: 5 month. Answers with what is spent and reserved in it. */
export const READ: string = script(`
local lacks = lack()
if lacks then return reply(lacks) end
sweep()
local month = ARGV[5]
if not has('s:' .. month) then
  if month <= (get('a') or '') then return reply('RECOUNT', month) end
  return reply('BALANCE', 0, 0)
end
return reply('BALANCE', count('s:' .. month), count('r:' .. month))
`)

/**
 * ARGV: 5 the epoch that the caller found, 6 '1' to begin anew, then triples of a month, what was used in it at least,
 * and its ceiling in the store. STALE when another process has rebuilt it meanwhile.
 */
export const BUILD: string = script(`
if epoch ~= tonumber(ARGV[5]) then return reply('STALE') end
if epoch == 0 or ARGV[6] == '1' then
  redis.call('DEL', A, T)
  known = {}
end
local last = get('a') or ''
for at = 7, #ARGV, 3 do
  local month, used, ceiling = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  put('a', '')
  open(month)
  local reserved = count('r:' .. month)
  if count('s:' .. month) + reserved < used then put('s:' .. month, text(used - reserved)) end
  put('c:' .. month, ceiling)
  if month > last then last = month end
end
put('a', last)
epoch = math.max(now, epoch + 1, tonumber(ARGV[2]) + 1)
put('e', text(epoch))
changed()
isNewMonth = true
return reply('BUILT')
`)
