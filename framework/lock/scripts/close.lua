-- close.lua SESSION - end a session: its own wish, or that of one who knows it dead.
-- 1 when it was there.  (A plain number: the leave hook counts lines of answers.)
local session = ARGV[1]
if not redis.call('ZSCORE', SESSIONS, session) then
    return 0
end
local left = {}
forget(session, left)
advance_all(left)
return 1
