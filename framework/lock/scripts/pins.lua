-- pins.lua SESSION EPOCH RESOURCE - what is pinned on it, by sessions that may be alive.
--
-- {grace_ms, "NUMBER/LINEAGE/" ...}, once for each session that pinned it; in a grace
-- some may not be told yet.  {'lost'} as in acquire.lua.  Sessions that are dead are
-- forgotten on the way; a broken one (S!) lives until its lease is over.
if redis.call('EXISTS', key('session', ARGV[1]), key('epoch', ARGV[2])) < 2 then
    return {'lost'}
end
local answer = {math.max(redis.call('PTTL', GRACE), 0)}
for _, field in ipairs(redis.call('HKEYS', key('p', ARGV[3]))) do
    local pin, owner = pin_parts(field)
    if is_alive(owner) or is_alive(broken_of(owner)) then
        table.insert(answer, pin)
    else
        dead[owner] = true
        -- its own list of them may be gone, with what forgets them by it
        redis.call('HDEL', key('p', ARGV[3]), field)
    end
end
settle({})
return answer
