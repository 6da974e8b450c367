-- Puts the session KEYS[1] under as many other names, ARGV[1] to ARGV[2], each with an entry in four indexes, as a sign-in leaves them.
local value = redis.call('GET', KEYS[1])
local life = redis.call('PTTL', KEYS[1])
local now = redis.call('TIME')[1] * 1000
for number = ARGV[1], ARGV[2] do
  -- As long as a name is: 43 characters.
  local name = redis.sha1hex(number) .. 'abc'
  local session = 'rolegate:session:' .. name
  redis.call('SET', session, value, 'PX', life)
  for _, index in ipairs({ 'person', 'beginning', 'named', 'upstream' }) do
    redis.call('ZADD', 'rolegate:' .. index .. ':' .. name, now + life, session)
    redis.call('PEXPIRE', 'rolegate:' .. index .. ':' .. name, life)
  end
end
return 'done'
