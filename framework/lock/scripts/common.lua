-- common.lua - what every script of the lock protocol begins with.
--
-- A ticket is "MODE/SESSION/NUMBER", MODE one of R, U, W; it is made by the client,
-- so that a question that got no answer can be asked again.  Keys:
--   h5swim:sessions              ZSET session -> end of its lease, ms of this server
--   h5swim:session:S             HASH who the session is
--   h5swim:session:S:tickets     HASH ticket -> resource; "" once it is over and must
--                                not be granted by a request that arrives late
--   h5swim:{R}:readers, :writers HASH ticket -> "fence since_ms", what is held; writers
--                                has one entry at most, an U or a W
--   h5swim:{R}:queue             ZSET ticket -> place, what waits
--   h5swim:{R}:fence             the last fencing number
--   h5swim:wake:TICKET           LIST with the fence, pushed for a waiter that was let in
--
-- Invariants after each script: a W in writers means readers is empty; nothing in the
-- queue could be granted by the rules of advance(); every ticket held or queued is
-- in the tickets of a session that is in h5swim:sessions.
local SESSIONS = 'h5swim:sessions'
local WAKE_MS = 60000
local FENCE_MS = 2592000000 -- the clock has passed a number long before it is forgotten

local clock = redis.call('TIME')
local now_us = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local now_ms = math.floor(now_us / 1000)

local function key(resource, part)
    return 'h5swim:{' .. resource .. '}:' .. part
end

local function mode_of(ticket)
    return string.sub(ticket, 1, 1)
end

local function held_key(resource, ticket)
    return key(resource, mode_of(ticket) == 'R' and 'readers' or 'writers')
end

local function session_of(ticket)
    return string.match(ticket, '^%a/(.*)/%d+$')
end

local function session_key(session)
    return 'h5swim:session:' .. session
end

local function tickets_key(session)
    return 'h5swim:session:' .. session .. ':tickets'
end

-- Enter a ticket as held; its fence.  The time is the floor of every fence, so that
-- a server that lost its data, or some of it, does not give a number twice.
local function grant(resource, ticket)
    local fence = '0'
    if mode_of(ticket) ~= 'R' then
        local last = tonumber(redis.call('GET', key(resource, 'fence')) or 0)
        fence = string.format('%.0f', math.max(last + 1, now_us))
        redis.call('SET', key(resource, 'fence'), fence, 'PX', FENCE_MS)
    end
    redis.call('HSET', held_key(resource, ticket), ticket, fence .. ' ' .. now_ms)
    return fence
end

-- Let a queued ticket in and wake its owner, unless that is who is asking.
local function admit(resource, ticket, asking)
    redis.call('ZREM', key(resource, 'queue'), ticket)
    local fence = grant(resource, ticket)
    if ticket ~= asking then
        redis.call('RPUSH', 'h5swim:wake:' .. ticket, fence)
        redis.call('PEXPIRE', 'h5swim:wake:' .. ticket, WAKE_MS)
    end
end

-- The readers' phase: a WRITE has left, all that wait to read go before the next one.
local function admit_readers(resource, asking)
    for _, ticket in ipairs(redis.call('ZRANGE', key(resource, 'queue'), 0, -1)) do
        if mode_of(ticket) == 'R' then
            admit(resource, ticket, asking)
        end
    end
end

-- Let in what may go in, in the order of the queue: an U waits for the U or W before
-- it and lets R pass, a W lets nobody pass.
local function advance(resource, write_left, asking)
    local queue = key(resource, 'queue')
    local head = redis.call('ZRANGE', queue, 0, 0)[1]
    if not head then
        return
    end
    local writer = redis.call('HKEYS', key(resource, 'writers'))[1]
    if writer and mode_of(writer) == 'W' then
        return
    end
    if write_left then
        admit_readers(resource, asking)
    end
    local readers = redis.call('HLEN', key(resource, 'readers'))
    if mode_of(head) == 'W' and (readers > 0 or writer) then
        return
    end
    for _, ticket in ipairs(redis.call('ZRANGE', queue, 0, -1)) do
        local mode = mode_of(ticket)
        if mode == 'R' then
            admit(resource, ticket, asking)
            readers = readers + 1
        elseif mode == 'U' then
            if not writer then
                admit(resource, ticket, asking)
            end
            writer = ticket -- it is in, or the one that waits: no other goes before it
        else
            if readers == 0 and not writer then
                admit(resource, ticket, asking)
            end
            return
        end
    end
end

-- Take a ticket out; left[resource] becomes true when that was a WRITE that was held.
local function remove(resource, ticket, left)
    if redis.call('HDEL', held_key(resource, ticket), ticket) == 1 then
        left[resource] = left[resource] or mode_of(ticket) == 'W'
        return 'held'
    end
    if redis.call('ZREM', key(resource, 'queue'), ticket) == 1 then
        left[resource] = left[resource] or false
        return 'queued'
    end
    return nil
end

local function advance_all(left)
    for resource, write_left in pairs(left) do
        advance(resource, write_left)
    end
end

-- Forget a session and all that it holds and waits for.
local function forget(session, left)
    local tickets = redis.call('HGETALL', tickets_key(session))
    for i = 1, #tickets, 2 do
        if tickets[i + 1] ~= '' then
            remove(tickets[i + 1], tickets[i], left)
        end
    end
    redis.call('DEL', session_key(session), tickets_key(session))
    redis.call('ZREM', SESSIONS, session)
end

-- End every session whose lease is over.  All are forgotten before anybody is let in:
-- no fence and no wake-up is spent on a waiter that is just as dead.
local function purge()
    local first = redis.call('ZRANGE', SESSIONS, 0, 0, 'WITHSCORES')
    if not first[2] or tonumber(first[2]) >= now_ms then
        return
    end
    local dead = redis.call('ZRANGEBYSCORE', SESSIONS, '-inf', '(' .. now_ms)
    local left = {}
    for _, session in ipairs(dead) do
        forget(session, left)
    end
    advance_all(left)
end

purge()
