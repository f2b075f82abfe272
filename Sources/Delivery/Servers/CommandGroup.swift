import Redis
import Rules

/// Commands that the same server executes in this order: all of their keys are in one slot.
struct CommandGroup: Sendable {
    /// One of the keys; nil: there is none, and any server will do.
    var key: Key?
    var commands: [RedisCommand]
    /// The only place where they may be executed; nil: wherever the key is.
    var place: Place?
}
