-- acquire.lua SESSION TICKET RESOURCE try|wait|who SINCE_MS EPOCH [BASE] - ask for a
-- lock, or ask again.  BASE: the UPDATE that an X ticket raises.
--
-- A number: granted, the fence (0 for READ).  {'queued', ms, grace_ms, who...};
-- {'busy', ms, grace_ms, who...} to a try; {'lost'}: the session is not known,
-- or EPOCH is another; {'over'}: the ticket was given back and this is its question arriving late; {'gone'}:
-- BASE is not held.
-- who (not to a wait) is a list per ticket that is held or goes before: ticket,
-- held|queued, since_ms ago, session's host, boot, pid, start, job, user, rank,
-- image.
-- ms is how long the first lease among them still runs, -1 when there is none.
--
-- Nobody else there: one EXISTS tells, the session and its epoch counted so often that
-- the sum can only come from both being there and all else not.
local session, ticket, resource = ARGV[1], ARGV[2], ARGV[3]
local r, w, q = P .. 'r:' .. resource, P .. 'w:' .. resource, P .. 'q:' .. resource
local me, tickets = P .. 'session:' .. session, P .. 'tickets:' .. session
local over, grace, e = P .. 'over:' .. ticket, P .. 'grace', P .. 'epoch:' .. ARGV[6]
local kind = string.byte(ticket)
if kind == 82 then
    if redis.call('EXISTS', me, me, me, me, me, e, e, e, e, e, over, grace, q, w) == 10 then
        if redis.call('HSET', r, ticket, ARGV[5]) == 0 then
            redis.call('DEL', P .. 'wake:' .. ticket) -- let in before, and asked again
        end
        redis.call('HSET', tickets, ticket, resource)
        return 0
    end
elseif kind ~= 88 and
    redis.call('EXISTS', me, me, me, me, me, me, e, e, e, e, e, e, over, grace, q, w,
               r) == 12 then
    local fence = redis.call('INCR', P .. 'fence')
    redis.call('SET', w, ticket .. string.format(' %.0f ', fence) .. ARGV[5])
    redis.call('HSET', tickets, ticket, resource)
    return fence
end
