/// By when a connection has to have done something. A value, told what happens on the connection.
struct ConnectionClock {
    /// How long things may take.
    struct Limits: Sendable {
        /// From the first byte of a request to its last, and from the connection to that.
        var request: Duration = .seconds(10)
        /// Between an answer and the next request, and until some of an answer is taken.
        var idle: Duration = .seconds(60)
        /// After we have said all that we had to say.
        var farewell: Duration = .seconds(2)
    }

    private let limits: Limits
    /// Some of a request has come, and its end has not.
    private(set) var isReading = true
    /// The head of the request that is being read has come.
    private var hasHead = false
    /// Requests whose head has come, and that are not answered.
    private(set) var unanswered = 0
    /// An answer said that it is the last.
    private var isLast = false
    private var readUntil: ContinuousClock.Instant?
    private var idleUntil: ContinuousClock.Instant?
    private var writeUntil: ContinuousClock.Instant?
    private var endsAt: ContinuousClock.Instant?

    init(limits: Limits, openedAt now: ContinuousClock.Instant) {
        self.limits = limits
        readUntil = now + limits.request
    }

    /// When the connection is to be closed if nothing else happens; nil: it may take as long as it takes.
    var deadline: ContinuousClock.Instant? { [readUntil, idleUntil, writeUntil, endsAt].compactMap(\.self).min() }

    /// Whether all is said: the last answer was given, and the request has come to its end.
    var isOver: Bool { isLast && unanswered == 0 && !isReading }

    /// Whether the head of a request is awaited.
    var isInHead: Bool { isReading && !hasHead }

    /// Whether it can be closed without cutting an answer short.
    var isQuiet: Bool { unanswered == 0 }

    mutating func bytesCame(at now: ContinuousClock.Instant) {
        guard !isReading else { return }
        isReading = true
        readUntil = now + limits.request
        idleUntil = nil
    }

    mutating func headCame() {
        unanswered += 1
        hasHead = true
        idleUntil = nil
    }

    mutating func requestEnded(at now: ContinuousClock.Instant) {
        isReading = false
        hasHead = false
        readUntil = nil
        rest(at: now)
    }

    mutating func answered(isLast: Bool, at now: ContinuousClock.Instant) {
        unanswered -= 1
        if isLast { self.isLast = true }
        rest(at: now)
    }

    /// What was written is taken, or is not.
    mutating func writes(isPossible: Bool, at now: ContinuousClock.Instant) {
        writeUntil = isPossible ? nil : now + limits.idle
    }

    /// The worker stops, or we have said all: what is still to be said has a moment.
    mutating func end(at now: ContinuousClock.Instant) {
        isLast = true
        endsAt = endsAt ?? now + limits.farewell
    }

    private mutating func rest(at now: ContinuousClock.Instant) {
        if unanswered == 0, !isReading { idleUntil = now + limits.idle }
    }
}
