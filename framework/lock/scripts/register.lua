-- register.lua SESSION LEASE_MS FIELD VALUE ... - begin a session.
-- Asked twice it does the same again.
local session = ARGV[1]
redis.call('HSET', session_key(session), 'since', now_ms, 'lease', ARGV[2],
           unpack(ARGV, 3))
redis.call('ZADD', SESSIONS, now_ms + tonumber(ARGV[2]), session)
return {'registered'}
