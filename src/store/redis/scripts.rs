//! What Redis does in one step, in Lua. Each concerns one key, and takes the time from Redis's own clock.

/// A script that drops expired members of an index, adds one unless a line says otherwise, and lets the index live as long as its last member. Scores are
/// milliseconds.
macro_rules! index_add {
    ($unless:literal) => {
        concat!(
            "local t = redis.call('TIME')\n",
            "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n",
            "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)\n",
            $unless,
            "redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])\n",
            "local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')\n",
            "redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last[2]))\n",
            "return 1"
        )
    };
}

/// Adds a member.
pub(super) const INDEX_ADD: &str = index_add!("");

/// Adds a member unless there are so many: says whether it is one now.
pub(super) const INDEX_ADD_WITHIN: &str = index_add!("if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end\n");

/// Adds a member, or lets it stay longer, unless there are so many others: says whether it is one now.
pub(super) const INDEX_KEEP_WITHIN: &str =
    index_add!("if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end\n");

/// Takes so many out of an allowance, or says for how many microseconds it cannot. What is kept is when the allowance is whole again (the generic cell
/// rate algorithm). Of the arguments the first is how many microseconds there are for one, then how many there are at once, and how many are wanted.
pub(super) const SPEND: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local each, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
-- No allowance is further from being whole than when it is used up: what says otherwise is of other settings, or of another clock.
local was = math.min(tonumber(redis.call('GET', KEYS[1]) or '0') or 0, now + each * burst)
local whole = math.max(was, now) + each * math.min(tonumber(ARGV[3]), burst)
local wait = whole - now - each * burst
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.0f', whole), 'PX', math.ceil((whole - now) / 1000))
return 0";

/// Sets a value if what is there is what was read, or nothing where nothing was: says whether it did. Where the value is there already, it did: a
/// cluster's connections may send a script twice, and no two sealed values are alike.
pub(super) const SWAP: &str = r"
local is = redis.call('GET', KEYS[1])
if is == ARGV[1] then return 1 end
if ARGV[3] == '1' then
  if is ~= ARGV[4] then return 0 end
elseif is then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// The members whose score lies ahead, the farthest first.
pub(super) const INDEX_MEMBERS: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
return redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '(' .. string.format('%.0f', now))";

/// Adds one, and lets the count live from its first one on.
pub(super) const COUNT: &str = r"
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count";
