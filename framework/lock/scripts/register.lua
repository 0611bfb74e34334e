-- register.lua SESSION LEASE_MS FENCE FIELD VALUE ... - begin a session.
-- {epoch, ms by the server's clock}.  A question is never asked twice for one SESSION.
local SWEEP = 16
local lease = tonumber(ARGV[2])
local epoch = epoch_now(lease, tonumber(ARGV[3]))
if type(epoch) == 'table' then
    return epoch
end
enter(ARGV[1], lease, 4, #ARGV)

-- The dead that nobody waits for are found here, a few at a time.
local due = redis.call('ZRANGEBYSCORE', SESSIONS, '-inf', now_ms(), 'LIMIT', 0, SWEEP)
for _, session in ipairs(due) do
    local left = redis.call('PTTL', key('session', session))
    if left > 0 then
        redis.call('ZADD', SESSIONS, now_ms() + left, session)
    else
        dead[session] = true
    end
end
settle({})
return {epoch, string.format('%.0f', now_ms())}
