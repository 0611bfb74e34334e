-- inspect_resources.lua LIMIT RESOURCE ... - who holds and who waits, each resource as it
-- is at one instant; it changes nothing.
--
-- {now_ms, grace_ms, resource ...}, each {writer, {reader, since_ms, ...}, {waiter,
-- place, ...}}, as head.lua says; fewer than were asked for once LIMIT tickets are told.
local room = tonumber(ARGV[1])
local clock = redis.call('TIME')
local answer = {clock[1] .. string.format('%03d', math.floor(clock[2] / 1000)),
                redis.call('PTTL', P .. 'grace')}

for i = 2, #ARGV do
    if room < 0 then
        break
    end
    local readers = redis.call('HGETALL', P .. 'r:' .. ARGV[i])
    local queue = redis.call('ZRANGE', P .. 'q:' .. ARGV[i], 0, -1, 'WITHSCORES')
    table.insert(answer, {redis.call('GET', P .. 'w:' .. ARGV[i]), readers, queue})
    room = room - (#readers + #queue) / 2 - 1
end
return answer
