-- The server's run, as far as a lock could notice another one.
local function run_of_server()
    return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end

-- Whether locks may have been lost in this run of the server: it was a replica once, or
-- something was flushed or evicted, or the counters that would tell were reset.
local function may_have_lost()
    local stats = redis.call('INFO', 'commandstats')
    for _, command in ipairs({'flushall', 'flushdb', 'swapdb', 'debug', 'config|resetstat',
                              'config'}) do
        if string.find(stats, 'cmdstat_' .. command .. ':', 1, true) then
            return true
        end
    end
    return not string.find(redis.call('INFO', 'replication'), 'master_replid2:0+%s') or
        not string.find(redis.call('INFO', 'stats'), 'evicted_keys:0%s')
end

-- How long a lease of an earlier epoch may still run, by a holder's own clock.
local function grace_needed(lease, known_before)
    if redis.call('DEL', P .. 'fresh') == 1 then
        return 0
    end
    if known_before or may_have_lost() then
        return lease
    end
    -- It is a difference of whole seconds of its clock: up to one too many.
    local up_s = string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)')
    return math.max(0, lease - math.max(0, tonumber(up_s) - 1) * 1000)
end

-- What an earlier run left behind may be older than what its holders know.
local function wipe()
    local cursor = '0'
    repeat
        local page = redis.call('SCAN', cursor, 'MATCH', P .. '*', 'COUNT', 1000)
        cursor = page[1]
        for _, name in ipairs(page[2]) do
            if name ~= P .. 'fence' and name ~= P .. 'fresh' then
                redis.call('DEL', name)
            end
        end
    until cursor == '0'
end

-- The next fence is larger than this one.
local function fence_at_least(fence)
    if fence > tonumber(redis.call('GET', P .. 'fence') or 0) then
        redis.call('SET', P .. 'fence', string.format('%.0f', fence))
    end
end

local function is_anybody_alive()
    for _, session in ipairs(redis.call('ZRANGE', SESSIONS, 0, -1)) do
        if is_alive(session) then
            return true
        end
    end
    return false
end

-- The lease of an epoch covers the longest of its sessions.
local function lengthen(lease, known)
    local more = lease - tonumber(known)
    if more > 0 then
        local left = redis.call('PTTL', GRACE)
        if left > 0 then
            redis.call('PEXPIRE', GRACE, left + more)
        end
        redis.call('HSET', P .. 'epoch', 'lease', lease)
    end
end

-- Begin a new epoch when the server has lost what it knew, or may have: its id.  In its
-- grace nothing new is granted, so that those who hold a lock can tell it anew.  fence
-- is the last one that the asking session has seen.  A table, to be returned: sessions
-- of another version are here.
local function epoch_now(lease, fence)
    local run = run_of_server()
    local epoch = redis.call('HMGET', P .. 'epoch', 'id', 'run', 'lease', 'version')
    if epoch[2] == run and epoch[4] ~= VERSION and is_anybody_alive() then
        return redis.error_reply('ERR it is in use by another version of h5swim (lock ' ..
            'protocol ' .. (epoch[4] or '1') .. ', this is ' .. VERSION .. '): use one ' ..
            'version, or wait until the sessions of the other have ended')
    end
    fence_at_least(fence)
    if epoch[2] == run and epoch[4] == VERSION then
        lengthen(lease, epoch[3])
        redis.call('SET', P .. 'epoch:' .. epoch[1], '')
        return epoch[1]
    end
    if epoch[1] then
        -- its holders may have had a longer lease, or be in a grace still
        lease = math.max(lease, tonumber(epoch[3]) or 0, redis.call('PTTL', GRACE))
        wipe()
    end
    local us = now_us()
    local id = string.format('%.0f', math.max(us, tonumber(epoch[1] or 0) + 1))
    fence_at_least(us)
    redis.call('HSET', P .. 'epoch', 'id', id, 'run', run, 'lease', lease, 'version',
               VERSION)
    redis.call('SET', P .. 'epoch:' .. id, '')
    local grace = grace_needed(lease, epoch[1])
    if grace > 0 then
        redis.call('SET', GRACE, id, 'PX', grace)
    end
    return id
end

-- Enter a session: its lease, and what ARGV says of it from first to last.
local function enter(session, lease, first, last)
    local name = key('session', session)
    redis.call('DEL', name)
    redis.call('HSET', name, 'since', now_ms(), 'lease', lease, unpack(ARGV, first, last))
    redis.call('PEXPIRE', name, lease)
    redis.call('ZADD', SESSIONS, now_ms() + lease, session)
end
