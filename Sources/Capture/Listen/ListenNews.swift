import Rules

/// What is said of one channel's notifications, and how often: a value, without a clock of its own.
struct ListenNews: Sendable {
    private static let pause = Duration.seconds(60)
    /// Characters of a payload that are told.
    private static let excerpt = 200

    private var lacking: Set<Heard.Column> = []
    private var saidAt: ContinuousClock.Instant?
    private var unreadable = 0

    /// A payload could not be read: gives its beginning and how many there were since that was said last, once a minute.
    mutating func isUnreadable(
        _ payload: [UInt8], at now: ContinuousClock.Instant
    ) -> (excerpt: String, count: Int)? {
        unreadable += 1
        if let saidAt, now - saidAt < Self.pause { return nil }
        defer { (saidAt, unreadable) = (now, 0) }
        // No character is of more bytes than some; what is cut through behind the last that is told is not seen.
        let text = String(decoding: payload.prefix(Self.excerpt * 32), as: UTF8.self)
        return (String(text.prefix(Self.excerpt)).escaped, unreadable)
    }

    /// An image lacks a column: whether that is news.
    mutating func lacks(_ column: Heard.Column) -> Bool { lacking.insert(column).inserted }
}
