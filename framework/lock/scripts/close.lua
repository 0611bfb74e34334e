-- close.lua SESSION - end a session: its own wish, or that of one who knows it dead.
-- 1 when it was there.  (A plain number: the leave hook counts lines of answers.)
local session = ARGV[1]
local was = redis.call('EXISTS', key('session', session), key('tickets', session))
local left = {}
forget(session, left)
settle(left)
return math.min(was, 1)
