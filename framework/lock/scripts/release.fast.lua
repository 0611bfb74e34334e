-- release.lua SESSION TICKET RESOURCE plain|cancel|unsure [BASE] - give a ticket back,
-- held or still queued, and let in who comes next.  BASE: the UPDATE that this ticket
-- was raised from, or was to be, goes with it.
--
-- 'held' or 'queued': what it was; 'absent': neither, so an earlier try of this release
-- did it; 'lost': the session is not known.  unsure: a question for the ticket may still
-- be on its way and must find it over.
--
-- A READ that nobody waits for needs no more than this.
local session, ticket, resource, how = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local r, w, q = P .. 'r:' .. resource, P .. 'w:' .. resource, P .. 'q:' .. resource
local kind = string.byte(ticket)
if how == 'plain' and not ARGV[5] and redis.call('EXISTS', q) == 0 then
    if kind == 82 then
        if redis.call('HDEL', r, ticket) == 1 then
            redis.call('HDEL', P .. 'tickets:' .. session, ticket)
            return 'held'
        end
    else
        local held = redis.call('GET', w)
        if held and string.sub(held, 1, #ticket + 1) == ticket .. ' ' then
            redis.call('DEL', w)
            redis.call('HDEL', P .. 'tickets:' .. session, ticket)
            return 'held'
        end
    end
end
