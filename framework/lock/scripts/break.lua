-- break.lua SESSION - somebody wants a session to end whose owner may be alive.
--
-- The owner is told, and can do nothing with the session any more.  Its places in queues
-- are given up.  What it holds stays held, by SESSION!, until it says that it has heard
-- (close.lua), or is known dead, or the lease that it may believe in is over: nobody
-- renews SESSION!.
--
-- How long that may take, ms; 0: it was over, and is forgotten now; -1: not known.
local session = ARGV[1]
local broken = broken_of(session)
local left = {}

local function hand_over(ticket, resource)
    local kept = kind_of(ticket) .. '/' .. broken .. string.match(ticket, '/%d+$')
    local writer, fence, since = writer_of(resource)
    redis.call('DEL', key('wake', ticket))
    if redis.call('ZREM', key('q', resource), ticket) == 1 then
        left[resource] = left[resource] or false
        return
    end
    if writer == ticket then
        redis.call('SET', key('w', resource), kept .. ' ' .. fence .. ' ' .. since)
    elseif mode_of(ticket) == 'R' then
        since = redis.call('HGET', key('r', resource), ticket)
        if not since then
            return
        end
        redis.call('HDEL', key('r', resource), ticket)
        redis.call('HSET', key('r', resource), kept, since)
    end
    redis.call('HSET', key('tickets', broken), kept, resource)
end

if is_alive(session) then
    local lease = redis.call('PTTL', key('session', session))
    local tickets = redis.call('HGETALL', key('tickets', session))
    for i = 1, #tickets, 2 do
        hand_over(tickets[i], tickets[i + 1])
    end
    redis.call('RENAME', key('session', session), key('session', broken))
    redis.call('DEL', key('tickets', session))
    redis.call('ZREM', SESSIONS, session)
    redis.call('ZADD', SESSIONS, now_ms() + lease, broken)
    redis.call('SET', key('over', session), '', 'PX', OVER_MS)
    redis.call('RPUSH', key('notice', session), 'break')
    redis.call('PEXPIRE', key('notice', session), lease)
    settle(left)
end
local lease = redis.call('PTTL', key('session', broken))
if lease > 0 then
    return lease
end
local was = redis.call('EXISTS', key('tickets', session), key('tickets', broken))
forget(session, left)
forget(broken, left)
settle(left)
return was > 0 and 0 or -1
