-- acquire.lua SESSION TICKET RESOURCE try|wait|who - ask for a lock, or ask again.
--
-- {'granted', fence}; {'queued', ms, who...}; {'busy', ms, who...} to a try; {'lost'};
-- {'over'} when the ticket was given back and this is its request arriving late.
-- who (not to a first wait) is a list per ticket that is held or goes before:
-- ticket, held|queued, since_ms ago, session's host, boot, pid, start, job.
-- ms is how long the first lease among them still runs, -1 when there is none.
local session, ticket, resource, how = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local queue = key(resource, 'queue')
local WHO_MAX = 64

local function add_who(answer, other, state, since)
    local ends = redis.call('ZSCORE', SESSIONS, session_of(other))
    if ends then
        local left = math.max(0, tonumber(ends) - now_ms)
        answer[2] = answer[2] < 0 and left or math.min(answer[2], left)
    end
    local s = redis.call('HMGET', session_key(session_of(other)), 'host', 'boot', 'pid',
                         'start', 'job')
    table.insert(answer, {other, state, tostring(now_ms - since), s[1] or '?',
                          s[2] or '?', s[3] or '0', s[4] or '0', s[5] or ''})
end

local function add_held(answer, part)
    local held = redis.call('HGETALL', key(resource, part))
    for i = 1, math.min(#held, 2 * WHO_MAX), 2 do
        local since = tonumber(string.match(held[i + 1], ' (%d+)$'))
        add_who(answer, held[i], 'held', since)
    end
end

local function refuse(status)
    local answer = {status, -1}
    if how ~= 'wait' then
        add_held(answer, 'writers')
        add_held(answer, 'readers')
        for _, other in ipairs(redis.call('ZRANGE', queue, 0, WHO_MAX)) do
            if other == ticket then
                break
            end
            add_who(answer, other, 'queued', now_ms)
        end
    end
    return answer
end

-- The answer for a ticket that is held by now, else nil.
local function granted()
    local held = redis.call('HGET', held_key(resource, ticket), ticket)
    return held and {'granted', string.match(held, '^%d+')}
end

-- With an empty queue only the holders count.
local function grant_at_once()
    if redis.call('ZCARD', queue) > 0 then
        return nil
    end
    local writer = redis.call('HKEYS', key(resource, 'writers'))[1]
    local mode = mode_of(ticket)
    if writer and (mode ~= 'R' or mode_of(writer) == 'W') then
        return nil
    end
    if mode == 'W' and redis.call('EXISTS', key(resource, 'readers')) == 1 then
        return nil
    end
    return {'granted', grant(resource, ticket)}
end

local function enter_queue()
    local last = redis.call('ZRANGE', queue, -1, -1, 'WITHSCORES')
    redis.call('ZADD', queue, tonumber(last[2] or 0) + 1, ticket)
    advance(resource, false, ticket)
    local answer = granted()
    if answer then
        return answer
    end
    if how == 'try' then
        local busy = refuse('busy')
        redis.call('ZREM', queue, ticket)
        redis.call('HDEL', tickets_key(session), ticket)
        return busy
    end
    return refuse('queued')
end

if not redis.call('ZSCORE', SESSIONS, session) then
    return {'lost'}
end
if redis.call('HSETNX', tickets_key(session), ticket, resource) == 1 then
    return grant_at_once() or enter_queue()
end
if redis.call('HGET', tickets_key(session), ticket) == '' then
    return {'over'}
end
local answer = granted()
if answer then
    redis.call('DEL', 'h5swim:wake:' .. ticket)
    return answer
end
return refuse('queued')
