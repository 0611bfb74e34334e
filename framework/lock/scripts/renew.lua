-- renew.lua SESSION LEASE_MS - only the session itself asks this.
-- One that has ended stays so: others may hold by now what it held.
local session = ARGV[1]
if not redis.call('ZSCORE', SESSIONS, session) then
    return {'lost'}
end
redis.call('ZADD', SESSIONS, now_ms + tonumber(ARGV[2]), session)
return {'renewed'}
