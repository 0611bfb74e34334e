-- reclaim.lua SESSION LEASE_MS FENCE BEFORE EPOCH N FIELD VALUE ... (N words) then
-- triples TICKET RESOURCE VALUE - a session that was entered in epoch BEFORE and that the
-- server does not know tells it in EPOCH what it holds.  VALUE is that of r:R or w:R; ""
-- for an UPDATE that is raised.  With a TICKET that is "P" RESOURCE is what it pinned and
-- VALUE the serial of that (pin.lua).
--
-- {'reclaimed', epoch, now_ms}; {'alive', epoch}: it is known after all; {'epoch',
-- epoch}: that is not EPOCH, and nothing is entered; {'lost'}: it was ended in this
-- epoch, or comes after the grace, or another holds what it held.
local session, lease, before = ARGV[1], tonumber(ARGV[2]), ARGV[4]
local first = 7 + tonumber(ARGV[6])
local epoch = epoch_now(lease, tonumber(ARGV[3]))
if type(epoch) == 'table' then
    return epoch
end
if is_alive(session) then
    return {'alive', epoch}
end
if epoch ~= ARGV[5] then
    return {'epoch', epoch}
end
local holds = first <= #ARGV -- or pinned: others did not see it
if epoch == before or redis.call('EXISTS', key('over', session)) == 1 or
    (holds and redis.call('EXISTS', GRACE) == 0) then
    return {'lost'}
end
for i = first, #ARGV, 3 do
    local writer = ARGV[i] ~= 'P' and writer_of(ARGV[i + 1])
    local reads = mode_of(ARGV[i]) == 'R'
    if ARGV[i + 2] ~= '' and writer and (not reads or mode_of(writer) == 'W') or
        mode_of(ARGV[i]) == 'W' and redis.call('EXISTS', key('r', ARGV[i + 1])) == 1 then
        return {'lost'}
    end
end
enter(session, lease, 7, first - 1)
for i = first, #ARGV, 3 do
    local ticket, resource, value = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    if ticket == 'P' then
        local pin, on = pin_parts(resource)
        redis.call('HSET', key('pins', session), resource, value)
        redis.call('HSET', key('p', on), pin .. session, value)
    else
        redis.call('HSET', key('tickets', session), ticket, resource)
        if value ~= '' and mode_of(ticket) == 'R' then
            redis.call('HSET', key('r', resource), ticket, value)
        elseif value ~= '' then
            redis.call('SET', key('w', resource), ticket .. ' ' .. value)
        end
    end
end
return {'reclaimed', epoch, string.format('%.0f', now_ms())}
