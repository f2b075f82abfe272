import Redis

/// A server, on the connections of a time. While they last, the server is the same process, and whatever was acknowledged
/// on any of them is still so: one that takes over, or starts again, may lack what the last one did.
struct Place: Hashable, Sendable {
    let address: RedisURL.Address
    /// Another one once a connection to any of the target's servers was lost or made.
    let era: Int
}
