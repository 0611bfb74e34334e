-- inspect_process.lua CURSOR PID BOOT - the sessions of a process; it changes nothing.
--
-- {next cursor, session, start, ...}: a page of them, "0" after the last.  start tells
-- whether it is that process or an earlier one with its number.
local PAGE = 1000
local found = redis.call('ZSCAN', P .. 'sessions', ARGV[1], 'MATCH', '*:' .. ARGV[2] .. ':*',
                         'COUNT', PAGE)
local answer = {found[1]}

for i = 1, #found[2], 2 do
    local who = redis.call('HMGET', P .. 'session:' .. found[2][i], 'pid', 'boot', 'start')
    if who[1] == ARGV[2] and who[2] == ARGV[3] then
        table.insert(answer, found[2][i])
        table.insert(answer, who[3] or '0')
    end
end
return answer
