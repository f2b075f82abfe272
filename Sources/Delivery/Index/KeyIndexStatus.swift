/// How a target's index stands, and what it has done since it was made.
public struct KeyIndexStatus: Hashable, Sendable, Codable {
    /// Whether patterns are looked up in it.
    public enum State: String, Hashable, Sendable, Codable {
        /// It is not there: patterns are scanned for.
        case off
        /// The keys are being read: patterns are scanned for.
        case filling
        /// They are.
        case ready
    }

    /// Whether patterns are looked up in it.
    public var state: State
    /// Why it is not there, in one line; nil: it is.
    public var reason: String?
    /// How many keys it has.
    public var keys = 0
    /// How many of them may be gone.
    public var unverifiedKeys = 0
    /// What they take, in bytes.
    public var bytes = 0
    /// Times that all keys were read.
    public var fills = 0
    /// Times that patterns were served by it.
    public var lookups = 0
    /// Times that patterns about its keys were scanned for.
    public var fallbacks = 0

    /// How it stands where it has the keys of several servers: as it does where it stands worst.
    init(of parts: [KeyIndexStatus]) {
        let order: [State] = [.off, .filling]
        state = order.first { state in parts.contains { $0.state == state } } ?? (parts.isEmpty ? .off : .ready)
        reason = parts.isEmpty ? "no server is known yet" : parts.lazy.compactMap(\.reason).first
        for part in parts {
            keys += part.keys
            unverifiedKeys += part.unverifiedKeys
            bytes += part.bytes
            fills += part.fills
        }
    }

    init(_ state: State) { self.state = state }

    /// Its state and the reason in words, without figures that change all the time.
    public var summary: String { reason.map { "\(state.rawValue): \($0)" } ?? state.rawValue }
}
