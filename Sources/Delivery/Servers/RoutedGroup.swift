import Redis
import Rules

/// A group of commands on its way through a deployment: whom to send what next, and what the replies mean. A value
/// without I/O.
///
/// Commands are executed in their order, also where a redirection comes between: what was sent behind a redirected
/// command is sent once more after it. An ASK is followed for the one command that got it, and only there: another one
/// whose key has not left yet would otherwise be written in two places.
struct RoutedGroup {
    /// What to send.
    struct Step {
        let address: RedisURL.Address
        let commands: [RedisCommand]
    }

    /// So many redirections are followed without progress: while a slot is handed over there are two or three.
    static let hopLimit = 8

    private let slot: RedisSlot?
    private let isCluster: Bool
    private let commands: [RedisCommand]
    private var replies: [RedisReply] = []
    /// Where the next command is to be asked for.
    private var asked: RedisURL.Address?
    /// How many commands were ever done: a redirection may have them done once more, which is no progress.
    private var furthest = 0
    private var hops = 0
    private(set) var outcome: Outcome = .pending

    enum Outcome: Equatable {
        case pending
        /// The replies of all commands, of which the last may tell of trouble; those behind it are missing then. That may
        /// be a redirection, where the servers send us in circles.
        case done([RedisReply])
        /// The connection was lost: to be tried again.
        case failed
    }

    init(_ group: CommandGroup, isCluster: Bool) {
        self.isCluster = isCluster
        slot = isCluster ? group.key.map { RedisSlot(of: $0.bytes) } : nil
        commands = group.commands
        if commands.isEmpty { outcome = .done([]) }
    }

    /// The next step; nil: there is none, for it is done, or nobody has the slot.
    mutating func step(_ map: SlotMap) -> Step? {
        guard outcome == .pending else { return nil }
        if let asked {
            return Step(address: asked, commands: [RedisCommand("ASKING"), commands[replies.count]])
        }
        guard let address = slot.map({ map[$0] }) ?? map.masters.first else {
            outcome = .done([.error(RedisErrorReply("CLUSTERDOWN no server has the slot"))])
            return nil
        }
        return Step(address: address, commands: Array(commands[replies.count...]))
    }

    /// Takes the replies to a step; nil: there were none. Gives the redirection that they told of.
    mutating func take(_ answers: [RedisReply]?, from address: RedisURL.Address) -> Redirection? {
        guard var answers = answers?[...] else {
            outcome = .failed
            return nil
        }
        if asked != nil { answers.removeFirst() }
        asked = nil
        for answer in answers {
            if isCluster, case .error(let error) = answer, let redirection = Redirection(error, askedAt: address) {
                follow(redirection)
                if hops > Self.hopLimit {
                    outcome = .done(replies + [.error(RedisErrorReply("\(error.text), says \(address)"))])
                }
                return redirection
            }
            replies.append(answer)
            if answer.trouble?.isTargets ?? false { break }
            if replies.count > furthest { (furthest, hops) = (replies.count, 0) }
        }
        if replies.count == commands.count || replies.last?.trouble?.isTargets ?? false { outcome = .done(replies) }
        return nil
    }

    /// Whether it came to nothing though it does where the map is right.
    var doubtsMap: Bool {
        switch outcome {
        case .pending: false
        case .done(let replies): replies.last?.trouble?.isTargets ?? false
        case .failed: true
        }
    }

    private mutating func follow(_ redirection: Redirection) {
        hops += 1
        switch redirection {
        case .ask(_, let address): asked = address
        // By then all keys of the slot are there.
        case .moved: replies = []
        }
    }
}
