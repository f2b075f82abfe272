import Redis
import Rules

/// Cuts times to live and increments counters.
struct KeyCommands: Sendable {
    private let target: Target
    private static let actionsPerPipeline = 1_000

    /// What `PEXPIRE … LT` does from Redis 7 on, for a key without a time to live too: a longer one becomes this one.
    static let expire = """
        local left = redis.call('PTTL', KEYS[1])
        if left == -1 or left > tonumber(ARGV[1]) then return redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
        return 0
        """

    init(_ target: Target) { self.target = target }

    /// Does this to these keys. Gives those that it can't be done to by their own fault. However long the target is in
    /// trouble, this waits for it. All of it may be done twice.
    func perform(
        _ actions: [PlannedAction]
    ) async throws(CancellationError) -> [(action: PlannedAction, failure: Failure)] {
        var failures: [(action: PlannedAction, failure: Failure)] = []
        var rest = actions[...]
        while !rest.isEmpty {
            let some = rest.prefix(Self.actionsPerPipeline)
            rest = rest.dropFirst(some.count)
            let (sound, long) = Self.split(some)
            failures += long.map { ($0, Failure(key: $0.key, reason: Failure.longKey)) }
            failures += sound.filter { isFenced($0) && target.companions.fence(of: $0.key) == nil }
                .map { ($0, Failure(key: $0.key, reason: Failure.braces)) }
            let replies = try await target.execute(groups: sound.map(group))
            for (action, replies) in zip(sound, replies) {
                guard case .error(let error)? = replies.last else { continue }
                failures.append((action, Failure(key: action.key, reason: error.text)))
            }
        }
        return failures
    }

    private func group(_ action: PlannedAction) -> CommandGroup {
        var commands: [RedisCommand] = []
        switch action.action {
        case .expire(let lifetime):
            // Without its token nobody stores what was read before. A new one would need memory.
            if isFenced(action), let fence = target.companions.fence(of: action.key) {
                commands.append(RedisCommand("UNLINK", [fence.bytes]))
            }
            commands.append(.script(Self.expire, [action.key], [lifetime.redisMilliseconds]))
        case .bump: commands.append(RedisCommand("INCR", [action.key.bytes]))
        case .emptyTag: break
        }
        return CommandGroup(key: action.key, commands: commands)
    }

    private func isFenced(_ action: PlannedAction) -> Bool {
        guard case .expire = action.action else { return false }
        return action.isFenced || target.options.fencesAll
    }

    private static func split(
        _ actions: ArraySlice<PlannedAction>
    ) -> (sound: [PlannedAction], long: [PlannedAction]) {
        let limit = Unlinking.maximumKeyLength - Fence.prefix.count
        return (actions.filter { $0.key.bytes.count <= limit }, actions.filter { $0.key.bytes.count > limit })
    }
}
