import Redis
import Rules

/// What emptying a tag says to Redis, in Lua, and the names that it uses: the set that was taken away from a tag, and
/// beside it a token that tells one taking from the next.
enum TagScript {
    /// What the name of a taken set has before the tag's.
    static let takenPrefix = Array("unstale:tag:".utf8)
    /// The same of its token's name.
    static let tokenPrefix = Array("unstale:tag-token:".utf8)
    /// What a token begins with that was lost and made anew: it says nothing about when its set was taken.
    static let renewed = UInt8(ascii: "+")

    /// Takes the set away from the tag, unless one that was taken before is still there, and answers the token of the
    /// set that is to be emptied; nothing where there is none.
    ///
    /// A taken set lives on until it is emptied. The writes come first that need no memory: where there is none, Redis
    /// refuses only a script that begins with one that does.
    static let take = """
        local token = redis.call('GET', KEYS[3])
        if redis.call('EXISTS', KEYS[2]) == 1 then
            if token then return token end
            redis.call('DEL', KEYS[3])
            redis.call('SET', KEYS[3], '+' .. ARGV[1])
            return '+' .. ARGV[1]
        end
        local kind = redis.call('TYPE', KEYS[1]).ok
        if kind == 'none' then
            if token then redis.call('DEL', KEYS[3]) end
            return false
        end
        if kind ~= 'set' then return redis.error_reply('WRONGTYPE a tag is a set, and this key is a ' .. kind) end
        redis.call('RENAME', KEYS[1], KEYS[2])
        redis.call('PERSIST', KEYS[2])
        redis.call('SET', KEYS[3], ARGV[1])
        return ARGV[1]
        """

    /// Removes a set all of whose keys are gone. Answers 0 where that is another set than this token's by now.
    static let finish = """
        if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
        redis.call('UNLINK', KEYS[1])
        redis.call('DEL', KEYS[2])
        return 1
        """
}

extension RedisCommand {
    /// Runs a script.
    static func script(_ text: String, _ keys: [Key], _ arguments: [[UInt8]]) -> RedisCommand {
        RedisCommand("EVAL", [Array(text.utf8), Array("\(keys.count)".utf8)] + keys.map(\.bytes) + arguments)
    }
}
