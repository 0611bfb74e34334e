-- pin.lua SESSION EPOCH WHAT SERIAL set|clear - WHAT is "NUMBER/LINEAGE/RESOURCE".
--
-- "done", also when it was so before; "lost": the session is not known, or EPOCH is
-- another.  SERIAL grows with each wish of the session, so that a question which got no
-- answer and arrives late does not undo a later one, except that one to set it may
-- come after it was cleared: it then stays as long as the session.
local me, serial = ARGV[1], tonumber(ARGV[4])
if redis.call('EXISTS', key('session', me), key('epoch', ARGV[2])) < 2 then
    return 'lost'
end
local pin, resource = pin_parts(ARGV[3])
local known = redis.call('HGET', key('pins', me), ARGV[3])
if known and tonumber(known) > serial then
    return 'done'
end
if ARGV[5] == 'set' then
    redis.call('HSET', key('pins', me), ARGV[3], ARGV[4])
    redis.call('HSET', key('p', resource), pin .. me, ARGV[4])
else
    redis.call('HDEL', key('pins', me), ARGV[3])
    redis.call('HDEL', key('p', resource), pin .. me)
end
return 'done'
