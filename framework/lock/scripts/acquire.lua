local how = ARGV[4]
local WHO_MAX = 64

local function held_tickets()
    local held = redis.call('HKEYS', r)
    table.insert(held, (writer_of(resource)))
    return held
end

-- Forget those who hold it or wait for it and are dead.
local function clean()
    for _, other in ipairs(held_tickets()) do
        local owner = session_of(other)
        if not is_alive(owner) then
            dead[owner] = true
        end
    end
    queued_alive(resource)
    settle({[resource] = false}, ticket)
end

local function add_who(answer, other, state, since)
    local owner = key('session', session_of(other))
    local left = redis.call('PTTL', owner)
    if left >= 0 then
        answer[2] = answer[2] < 0 and left or math.min(answer[2], left)
    end
    local s = redis.call('HMGET', owner, 'host', 'boot', 'pid', 'start', 'job', 'user',
                         'rank', 'image')
    table.insert(answer, {other, state, string.format('%.0f', now_ms() - since),
                          s[1] or '?', s[2] or '?', s[3] or '0', s[4] or '0',
                          s[5] or '', s[6] or '', s[7] or '-1', s[8] or ''})
end

local function add_held(answer)
    local writer, _, since = writer_of(resource)
    if writer then
        add_who(answer, writer, 'held', tonumber(since))
    end
    local readers = redis.call('HGETALL', r)
    for i = 1, math.min(#readers, 2 * WHO_MAX), 2 do
        add_who(answer, readers[i], 'held', tonumber(readers[i + 1]))
    end
end

local function refuse(status)
    local answer = {status, -1, math.max(redis.call('PTTL', GRACE), 0)}
    if how ~= 'wait' then
        add_held(answer)
        for _, other in ipairs(redis.call('ZRANGE', q, 0, WHO_MAX)) do
            if other == ticket then
                break
            end
            add_who(answer, other, 'queued', now_ms())
        end
    end
    return answer
end

-- The fence of a ticket that is held by now, else nil.
local function granted()
    if kind == 82 then
        return redis.call('HEXISTS', r, ticket) == 1 and 0 or nil
    end
    local writer, fence = writer_of(resource)
    return writer == ticket and tonumber(fence) or nil
end

-- The place behind all of its class; it also tells since when it waits.
local function place()
    local class = 0
    if kind == 88 then
        class = RAISING
    elseif kind == 84 or kind == 86 then
        class = PREFERRED
    end
    local last = redis.call('ZREVRANGEBYSCORE', q, string.format('(%.0f', class + CLASS),
                            string.format('(%.0f', class), 'WITHSCORES', 'LIMIT', 0, 1)
    return math.max(tonumber(last[2] or class) + 1, class + now_us())
end

local function enter_queue()
    redis.call('ZADD', q, string.format('%.0f', place()), ticket)
    redis.call('HSET', tickets, ticket, resource)
    settle({[resource] = false}, ticket)
end

if redis.call('EXISTS', me, e) < 2 then
    return {'lost'}
end
if redis.call('EXISTS', over) == 1 then
    return {'over'}
end
local fence = granted()
if not fence and not redis.call('ZSCORE', q, ticket) then
    if kind == 88 and writer_of(resource) ~= ARGV[7] then
        return {'gone'}
    end
    enter_queue()
    fence = granted()
end
if not fence and how ~= 'wait' then
    clean()
    fence = granted()
end
if fence then
    redis.call('DEL', key('wake', ticket))
    return fence
end
if how == 'try' then
    local busy = refuse('busy')
    local left = {}
    remove(resource, ticket, left)
    redis.call('HDEL', tickets, ticket)
    settle(left)
    return busy
end
return refuse('queued')
