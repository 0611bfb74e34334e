-- hello.lua LEASE_MS FENCE - the first question on a connection: the epoch.
return epoch_now(tonumber(ARGV[1]), tonumber(ARGV[2]))
