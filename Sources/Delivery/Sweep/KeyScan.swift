public import Redis
import Rules

/// Reads the keys of a Redis page by page, at a pace that leaves it most of its time: SCAN without anything else.
/// Keys come in no order that means anything, and some may come twice.
public struct KeyScan {
    private let connection: RedisConnection
    private let pattern: Pattern?
    private var pace: SweepPace
    private var cursor: [UInt8]? = ScanPage.edge
    private static let deadline = Duration.seconds(5)
    /// Fewer at a time would take Redis hardly less time, and more round trips.
    private static let smallestCount = 100
    private static let longestRest = Duration.milliseconds(20)

    /// Begins on a connection that is asked for nothing else meanwhile.
    public init(_ connection: RedisConnection, options: SweepOptions = .init()) async throws(RedisError) {
        try await self.init(connection, matching: nil, options: options)
    }

    /// The same for the keys that a pattern matches.
    init(_ connection: RedisConnection, matching pattern: Pattern?, options: SweepOptions) async throws(RedisError) {
        self.connection = connection
        self.pattern = pattern
        pace = try await SweepPace(options) { () throws(RedisError) in
            // Where it may not be asked for, the refusal takes as long.
            _ = try await connection.send(RedisCommand("PING"), deadline: Self.deadline)
        }
    }

    /// The next keys, perhaps none, and about no more than `limit`; nil at the end. Rests before it returns.
    public mutating func next(limit: Int = .max) async throws -> [[UInt8]]? {
        try await nextPage(limit: limit)?.map { Array($0) }
    }

    /// The same, in one piece.
    mutating func nextPage(limit: Int = .max) async throws(RedisError) -> RedisStrings? {
        guard let cursor else { return nil }
        let count = min(pace.count, max(Self.smallestCount, limit))
        let scan = ScanPage.command(from: cursor, count: count, matching: pattern)
        let start = ContinuousClock.now
        let reply = try await connection.send(scan, deadline: Self.deadline)
        guard let page = ScanPage(reply) else {
            if case .error(let error) = reply {
                throw RedisError(.refused, error.text, doing: "SCAN on \(connection.url)")
            }
            throw RedisError(
                .protocolViolation, "it was answered with no page of keys", doing: "SCAN on \(connection.url)")
        }
        let end = ContinuousClock.now
        self.cursor = page.cursor == ScanPage.edge ? nil : page.cursor
        let rest = min(Self.longestRest, pace.scanned(in: end - start))
        // The pace: the target has the rest of its time for those whom it serves.
        if self.cursor != nil {
            do { try await connection.rest(until: end + rest) } catch { throw RedisError(.cancelled, "cancelled") }
        }
        return page.keys
    }
}

extension RedisConnection {
    /// How many keys there are in its database; nil: whoever we are may not know.
    public func keyCount() async throws(RedisError) -> Int? {
        let commands = [RedisCommand("DBSIZE"), RedisCommand("INFO", "keyspace")]
        let replies = try await pipeline(commands, deadline: .seconds(5))
        if case .integer(let count) = replies[0] { return count }
        guard let text = replies[1].text else { return nil }
        // `db0:keys=12,expires=3,avg_ttl=0`; there is no line for an empty database.
        let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("db\(url.database):keys=") }
        guard let line else { return 0 }
        return Int(line.drop { $0 != "=" }.dropFirst().prefix { $0.isNumber })
    }
}
