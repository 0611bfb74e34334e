-- close.lua SESSION - end a session: its own wish, or that of one who knows it dead.
-- 1 when it was there.  (A plain number: the leave hook counts lines of answers.)  In a
-- grace it may have told the server what it holds by a question that is still under way.
local left, was = {}, 0
for _, session in ipairs({ARGV[1], broken_of(ARGV[1])}) do
    was = was + redis.call('EXISTS', key('session', session), key('tickets', session))
    forget(session, left)
end
if redis.call('EXISTS', GRACE) == 1 then
    redis.call('SET', key('over', ARGV[1]), '', 'PX', OVER_MS)
end
settle(left)
return math.min(was, 1)
