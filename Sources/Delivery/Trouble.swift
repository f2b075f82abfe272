import Redis

/// Whose fault an error is, which decides what follows: the target's is waited for and never counts as an
/// attempt, an action's own is tried again a few times and then is a dead letter.
enum Trouble: Hashable, Sendable {
    /// The target is down, is not ready, can't be written to, or refuses us.
    case target(String)
    /// The target is well, and this action doesn't work on it.
    case action(String)

    /// The first words of the errors by which Redis speaks of itself and not of the key. Full memory (OOM) is not among
    /// them: deletes need none, and must go on, for entries are read all the time.
    private static let targetCodes: Set<Substring> = [
        "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "MISCONF", "NOREPLICAS", "BUSY",
        "NOAUTH", "WRONGPASS", "NOPERM", "CROSSSLOT",
    ]
    /// Those by which a Cluster speaks of a slot that is or goes elsewhere: its servers are well.
    private static let slotCodes: Set<Substring> = ["TRYAGAIN", "MOVED", "ASK"]

    /// The trouble behind an error reply.
    init(_ error: RedisErrorReply) {
        // An unknown command is one that was renamed or forbidden, or it is no Redis.
        let isTargets =
            Self.targetCodes.contains(error.code) || Self.slotCodes.contains(error.code)
            || error.text.hasPrefix("ERR unknown command") || Self.isTargets(inScript: error.text)
        self = isTargets ? .target(error.text) : .action(error.text)
    }

    /// Whether a script's error is about the target: Redis 7.0 says in words that there is no right to a command, and 6.2
    /// has the code of each error in the middle of the line.
    private static func isTargets(inScript text: String) -> Bool {
        text.hasPrefix("ERR The user executing the script can't ")
            || text.hasPrefix("ERR Error running script ")
                && (text.contains(": The user executing the script can't ")
                    || text.split(separator: " ").contains { $0.first == "-" && targetCodes.contains($0.dropFirst()) })
    }

    /// Whether it is the target's.
    var isTargets: Bool { if case .target = self { true } else { false } }

    /// Whether it is that of the server that answered, which is to be waited for.
    var isServers: Bool {
        if case .target(let text) = self { !Self.slotCodes.contains(RedisErrorReply(text).code) } else { false }
    }
}

extension RedisReply {
    /// The trouble that it tells of, if any.
    var trouble: Trouble? { if case .error(let error) = self { Trouble(error) } else { nil } }

    /// Whether only some of a command's keys were there, of a slot that is handed over: one by one they are found.
    var tellsOfSplitSlot: Bool { if case .error(let error) = self { error.code == "TRYAGAIN" } else { false } }

    /// Whether there was no room for what was to be stored; in a script's error that is somewhere in the middle.
    var tellsOfFullMemory: Bool {
        if case .error(let error) = self { error.text.contains("OOM command not allowed") } else { false }
    }
}
