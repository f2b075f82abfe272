import Redis

/// What came back for a group of commands.
struct Answer: Sendable {
    /// The replies, in the order of the commands.
    let replies: [RedisReply]
    /// Where the last command was executed; nil: nowhere.
    let place: Place?

    /// Whether one of the replies tells of trouble of the target.
    var tellsOfTrouble: Bool { replies.contains { $0.trouble?.isTargets == true } }
}
