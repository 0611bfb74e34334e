local left = {}
local was = remove(resource, ticket, left)
if ARGV[5] then
    local base = remove(resource, ARGV[5], left)
    was = was or base
    redis.call('HDEL', key('tickets', session), ARGV[5])
end
redis.call('HDEL', key('tickets', session), ticket)
if how == 'unsure' then
    redis.call('SET', key('over', ticket), '', 'PX', OVER_MS)
    if ARGV[5] then
        redis.call('SET', key('over', ARGV[5]), '', 'PX', OVER_MS)
    end
end
if how ~= 'plain' then
    redis.call('DEL', key('wake', ticket))
end
settle(left)
if not was and not is_alive(session) then
    return 'lost'
end
return was or 'absent'
