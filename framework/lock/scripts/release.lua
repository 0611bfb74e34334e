-- release.lua SESSION TICKET RESOURCE plain|cancel|unsure - give a ticket back, held
-- or still queued, and let in who comes next.
--
-- {'held'} or {'queued'}: what it was; {'absent'}: neither, so an earlier try of
-- this release did it; {'lost'}.  unsure: a request for the ticket may still be on
-- its way and must find it over.
local session, ticket, resource, how = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local left = {}
local was = remove(resource, ticket, left)
-- What was there belonged to a session that lives: others have been purged.
if not was and not redis.call('ZSCORE', SESSIONS, session) then
    return {'lost'}
end
if how == 'unsure' then
    redis.call('HSET', tickets_key(session), ticket, '')
else
    redis.call('HDEL', tickets_key(session), ticket)
end
if how ~= 'plain' then
    redis.call('DEL', 'h5swim:wake:' .. ticket)
end
advance_all(left)
return {was or 'absent'}
