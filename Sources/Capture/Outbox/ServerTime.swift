public import Postgres

/// A moment by the server's clock.
public struct ServerTime: Hashable, Comparable, Sendable {
    /// Since 2000-01-01 00:00 UTC, as `timestamptz` has it.
    public var microseconds: Int64

    /// A moment.
    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// Since 1970-01-01 00:00 UTC.
    public var unixSeconds: Double { Double(microseconds) / 1e6 + 946_684_800 }

    /// Microseconds from then to a later moment; 0 if that is not later.
    public func microseconds(until later: ServerTime) -> Int64 { max(0, later.microseconds - microseconds) }

    /// What comes first.
    public static func < (a: ServerTime, b: ServerTime) -> Bool { a.microseconds < b.microseconds }
}

/// The server's clock, as it was read once: ours may be minutes off.
public struct ServerClock: Sendable {
    private let time: ServerTime
    private let instant: ContinuousClock.Instant

    /// A clock that showed this time at that instant.
    public init(_ time: ServerTime, at instant: ContinuousClock.Instant) {
        self.time = time
        self.instant = instant
    }

    /// Asks the server; it is half a round trip late.
    public static func read(_ connection: PostgresConnection) async throws(PostgresError) -> ServerClock {
        let rows = try await connection.query("SELECT clock_timestamp()", binary: true, doing: "reading the clock")
        let microseconds = rows.first?.binaryInteger(0, as: Int64.self) ?? 0
        return ServerClock(ServerTime(microseconds: microseconds), at: .now)
    }

    /// What it shows at an instant.
    public func time(at instant: ContinuousClock.Instant) -> ServerTime {
        ServerTime(microseconds: time.microseconds + Int64((instant - self.instant) / .microseconds(1)))
    }

    /// How long ago something was.
    public func age(of moment: ServerTime, at instant: ContinuousClock.Instant) -> Duration {
        .microseconds(moment.microseconds(until: time(at: instant)))
    }
}
