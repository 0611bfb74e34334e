-- A write command that changes nothing: a replica, as a former primary may be, refuses
-- it, and would otherwise answer from what it once knew.
redis.call('PERSIST', P .. 'epoch')

local SESSIONS, GRACE = P .. 'sessions', P .. 'grace'
local CLASS = 2 ^ 52      -- places of a class: microseconds up to the year 2112
local PREFERRED = -CLASS  -- where the places of preferred writers begin
local RAISING = -2 * CLASS -- there is one at most: it holds UPDATE
local OVER_MS = 600000     -- no question travels longer
local MODES = {R = 'R', U = 'U', T = 'U', W = 'W', V = 'W', X = 'W'}

local function key(part, name)
    return P .. part .. ':' .. name
end

local function kind_of(ticket)
    return string.sub(ticket, 1, 1)
end

local function mode_of(ticket)
    return MODES[kind_of(ticket)]
end

local function session_of(ticket)
    return string.match(ticket, '^%a/(.*)/%d+$')
end

local function broken_of(session)
    return session .. '!'
end

local function is_alive(session)
    return redis.call('EXISTS', key('session', session)) == 1
end

local function now_us()
    local clock = redis.call('TIME')
    return tonumber(clock[1]) * 1000000 + tonumber(clock[2])
end

local now -- ms; asked once
local function now_ms()
    now = now or math.floor(now_us() / 1000)
    return now
end

-- The ticket that holds UPDATE or WRITE, its fence and since when.
local function writer_of(resource)
    local held = redis.call('GET', key('w', resource))
    if held then
        return string.match(held, '^(%S+) (%d+) (%d+)$')
    end
end

-- Enter a ticket as held; its fence.
local function grant(resource, ticket)
    local fence = 0
    if mode_of(ticket) == 'R' then
        redis.call('HSET', key('r', resource), ticket, now_ms())
    else
        fence = redis.call('INCR', P .. 'fence')
        redis.call('SET', key('w', resource),
                   string.format('%s %.0f %.0f', ticket, fence, now_ms()))
    end
    return fence
end

-- Let a queued ticket in and wake its owner, unless that is who is asking.
local function admit(resource, ticket, asking)
    redis.call('ZREM', key('q', resource), ticket)
    local fence = grant(resource, ticket)
    if ticket ~= asking then
        redis.call('RPUSH', key('wake', ticket), string.format('%.0f', fence))
    end
end

-- Sessions found dead on the way, to be forgotten by settle().
local dead = {}

local function queued_alive(resource)
    local alive = {}
    for _, ticket in ipairs(redis.call('ZRANGE', key('q', resource), 0, -1)) do
        local session = session_of(ticket)
        if is_alive(session) then
            table.insert(alive, ticket)
        else
            dead[session] = true
        end
    end
    return alive
end

-- Let in what may go in, in the order of the queue: an UPDATE waits for the writer
-- before it and lets READ pass, a WRITE lets nobody pass.  When a WRITE has left, the
-- readers that wait go before the next one, unless that one is preferred.
local function advance(resource, write_left, asking)
    if redis.call('EXISTS', key('q', resource)) == 0 or
        redis.call('EXISTS', GRACE) == 1 then
        return
    end
    local writer = writer_of(resource)
    if writer and mode_of(writer) == 'W' then
        return
    end
    local readers = redis.call('HLEN', key('r', resource))
    local queue = queued_alive(resource)
    local readers_first = write_left and queue[1] and kind_of(queue[1]) ~= 'V'
    for _, ticket in ipairs(queue) do
        if readers_first and mode_of(ticket) == 'R' then
            admit(resource, ticket, asking)
            readers = readers + 1
        end
    end
    for _, ticket in ipairs(queue) do
        local mode = mode_of(ticket)
        if mode == 'R' then
            if not readers_first then
                admit(resource, ticket, asking)
                readers = readers + 1
            end
        elseif mode == 'U' then
            if not writer then
                admit(resource, ticket, asking)
            end
            writer = ticket -- it is in, or the one that waits: no other goes before it
        else
            if readers == 0 and (not writer or kind_of(ticket) == 'X') then
                admit(resource, ticket, asking)
            end
            return
        end
    end
end

-- Take a ticket out; left[resource] becomes true when that was a WRITE that was held.
local function remove(resource, ticket, left)
    local mode, was = mode_of(ticket), nil
    if mode == 'R' then
        was = redis.call('HDEL', key('r', resource), ticket) == 1 and 'held'
    elseif writer_of(resource) == ticket then
        redis.call('DEL', key('w', resource))
        was = 'held'
    end
    if was then
        left[resource] = left[resource] or mode == 'W'
    elseif redis.call('ZREM', key('q', resource), ticket) == 1 then
        left[resource] = left[resource] or false
        was = 'queued'
    end
    return was
end

-- A pin: what precedes its resource in pins:S and its session in p:R, and the resource.
local function pin_parts(what)
    return string.match(what, '^(%d+/%x+/)(.*)$')
end

-- The session that pinned: one that was broken has kept its pins under its own name.
local function pins_owner(session)
    return (string.gsub(session, '!$', ''))
end

local function forget_pins(owner)
    for _, what in ipairs(redis.call('HKEYS', key('pins', owner))) do
        local pin, resource = pin_parts(what)
        redis.call('HDEL', key('p', resource), pin .. owner)
    end
    redis.call('DEL', key('pins', owner))
end

-- Forget a session and all that it holds and waits for.
local function forget(session, left)
    forget_pins(pins_owner(session))
    local tickets = redis.call('HGETALL', key('tickets', session))
    for i = 1, #tickets, 2 do
        remove(tickets[i + 1], tickets[i], left)
        redis.call('DEL', key('wake', tickets[i]))
    end
    redis.call('DEL', key('session', session), key('tickets', session),
               key('notice', session))
    redis.call('ZREM', SESSIONS, session)
end

-- Forget the dead, let in who comes after them, and again, as long as dead turn up.  All
-- are forgotten before anybody is let in.
local function settle(left, asking)
    repeat
        while next(dead) do
            local session = next(dead)
            dead[session] = nil
            forget(session, left)
        end
        local resource, write_left = next(left)
        if resource then
            left[resource] = nil
            advance(resource, write_left, asking)
        end
    until not next(left) and not next(dead)
end
