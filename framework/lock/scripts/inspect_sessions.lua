-- inspect_sessions.lua LIMIT ID ... - what is known of sessions; it changes nothing.
--
-- {now_ms, session ...}, each {left_ms, tickets, resources, host, boot, pid, start, user,
-- job, rank, since_ms, lease_ms}: the time its lease still runs (-2: it is over), how
-- many tickets it has, and on which resources, as long as these are no more than LIMIT
-- in all.
local room = tonumber(ARGV[1])
local clock = redis.call('TIME')
local answer = {clock[1] .. string.format('%03d', math.floor(clock[2] / 1000))}

for i = 2, #ARGV do
    local me, tickets = P .. 'session:' .. ARGV[i], P .. 'tickets:' .. ARGV[i]
    local count, resources = redis.call('HLEN', tickets), {}
    if count <= room then
        resources = redis.call('HVALS', tickets)
        room = room - count
    end
    local s = redis.call('HMGET', me, 'host', 'boot', 'pid', 'start', 'user', 'job',
                         'rank', 'since', 'lease')
    table.insert(answer, {redis.call('PTTL', me), count, resources, unpack(s, 1, 9)})
end
return answer
