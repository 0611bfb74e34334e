-- reclaim.lua SESSION LEASE_MS FENCE EPOCH N FIELD VALUE ... (N words) then triples
-- TICKET RESOURCE VALUE - a session that the server does not know tells it what it holds.
-- VALUE is that of r:R or w:R; "" for an UPDATE that is raised.
--
-- {'reclaimed', epoch, now_ms}; {'alive', epoch}: it is known after all; {'lost'}: it was
-- ended in this epoch, or comes after the grace, or another holds what it held.
local session, lease, before = ARGV[1], tonumber(ARGV[2]), ARGV[4]
local first = 6 + tonumber(ARGV[5])
local epoch = epoch_now(lease, tonumber(ARGV[3]))
if is_alive(session) then
    return {'alive', epoch}
end
local holds = first <= #ARGV
if epoch == before or (holds and redis.call('EXISTS', GRACE) == 0) then
    return {'lost'}
end
for i = first, #ARGV, 3 do
    local writer = writer_of(ARGV[i + 1])
    local reads = mode_of(ARGV[i]) == 'R'
    if ARGV[i + 2] ~= '' and writer and (not reads or mode_of(writer) == 'W') or
        mode_of(ARGV[i]) == 'W' and redis.call('EXISTS', key('r', ARGV[i + 1])) == 1 then
        return {'lost'}
    end
end
enter(session, lease, 6, first - 1)
for i = first, #ARGV, 3 do
    local ticket, resource, value = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    redis.call('HSET', key('tickets', session), ticket, resource)
    if value ~= '' and mode_of(ticket) == 'R' then
        redis.call('HSET', key('r', resource), ticket, value)
    elseif value ~= '' then
        redis.call('SET', key('w', resource), ticket .. ' ' .. value)
    end
end
return {'reclaimed', epoch, string.format('%.0f', now_ms())}
