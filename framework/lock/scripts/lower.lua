-- lower.lua SESSION TICKET RESOURCE plain|cancel|unsure BASE SINCE_MS - a WRITE that
-- was raised from an UPDATE, or waits to be, becomes that UPDATE again.
--
-- The fence as a number, which the UPDATE keeps; 'queued': it was still waiting;
-- 'absent': neither, an earlier try of this did it; 'lost': the session is not known.
local session, ticket, resource, how, base = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local left, answer = {}, 'absent'
local writer, fence = writer_of(resource)
if writer == ticket then
    redis.call('SET', key('w', resource), base .. ' ' .. fence .. ' ' .. ARGV[6])
    left[resource] = true
    answer = tonumber(fence)
elseif redis.call('ZREM', key('q', resource), ticket) == 1 then
    left[resource] = false
    answer = 'queued'
end
redis.call('HDEL', key('tickets', session), ticket)
redis.call('DEL', key('wake', ticket))
if how == 'unsure' then
    redis.call('SET', key('over', ticket), '', 'PX', OVER_MS)
end
settle(left)
if not is_alive(session) then
    return 'lost'
end
return answer
