public import Logging
import Metrics
public import Postgres
public import Rules
import Synchronization

/// Listens to what triggers that are not ours tell of changes, and writes that into the outbox. From there it takes the
/// way of every other change; up to there it is at most once, for nobody keeps a notification that nobody hears.
public final class Listener: Sendable {
    private struct State {
        var tables = ListenedTables()
        var buffer = ListenBuffer()
        var news = ListenNews()
        var fault: String?
        var hasIntroducedItself = false
    }

    private let channels: [ListenChannel]
    private let settings: PostgresSettings
    private let tables: @Sendable () -> Set<TableName>
    private let pace: Duration
    private let checkInterval: Duration
    private let logger: Logger
    private let tallies: [String: ListenTally]
    private let isListening = Gauge(label: "unstale_listening")
    private let gaps = Counter(label: "unstale_listen_gaps_total")
    private let state = Mutex(State())
    private static let doing = "listening"
    /// By this we hear ourselves.
    private static let probe = "unstale_probe"

    /// A listener on these channels.
    ///
    /// - Parameters:
    ///   - pace: The wait between two writes while notifications keep coming.
    ///   - checkInterval: How often the installed capture is looked at.
    ///   - tables: The tables that rules name now.
    public init(
        _ channels: [ListenChannel], postgres: PostgresSettings, pace: Duration, checkInterval: Duration,
        logger: Logger, tables: @escaping @Sendable () -> Set<TableName>
    ) {
        self.channels = channels
        settings = postgres
        self.pace = pace
        self.checkInterval = checkInterval
        self.logger = logger
        self.tables = tables
        tallies = Dictionary(channels.map { ($0.name, ListenTally(channel: $0.name)) }) { $1 }
        isListening.record(0)
    }

    /// What is listened to, and whether that works.
    public var listening: Listening { Listening(channels, fault: state.withLock { $0.fault }) }

    /// Listens until a connection fails, which is thrown, or the task is cancelled. What was heard and is not written yet
    /// by then is written when it is called again.
    public func listen() async throws {
        introduce()
        do {
            try await listenOnce()
        } catch {
            isListening.record(0)
            // Told to end: it is no fault.
            if !Task.isCancelled { state.withLock { $0.fault = (error as? PostgresError)?.summary ?? "\(error)" } }
            throw error
        }
    }

    private func listenOnce() async throws {
        let writer = ListenWriter(connection: try await PostgresConnection.connect(settings))
        let ear = try await PostgresConnection.connect(settings)
        try await load(writer.connection)
        let names = channels.map(\.name) + [Self.probe]
        try await ear.script(names.map { "LISTEN \(SQL.identifier($0))" }.joined(separator: "; "), doing: Self.doing)
        try await hearOurselves(ear, writer.connection)
        // Not before it is sure that the session is our own.
        try await writer.connection.script(ListenStatement.sessionSettings, doing: Self.doing)
        isListening.record(1)
        state.withLock { $0.fault = nil }
        countGap()
        let (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        changed.yield()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while true {
                    self.hear(try await ear.notifications(within: .seconds(60), doing: Self.doing))
                    changed.yield()
                }
            }
            group.addTask {
                for await _ in changes {
                    try await self.write(by: writer)
                    // The pace: what comes meanwhile is written together.
                    try await Task.sleep(for: self.pace)
                }
            }
            group.addTask { try await self.keepUp(writer.connection) { changed.yield() } }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Behind a pooler in transaction mode, LISTEN succeeds and nothing is ever heard. What comes meanwhile is heard too.
    private func hearOurselves(_ ear: PostgresConnection, _ other: PostgresConnection) async throws {
        let word = Array("\(UInt64.random(in: 0 ... .max))".utf8)
        _ = try await other.query(
            "SELECT pg_notify('\(Self.probe)', $1)", [.bytes(word)], doing: Self.doing)
        let deadline = ContinuousClock.now + .seconds(5)
        while .now < deadline {
            let heard = try await ear.notifications(within: deadline - .now, doing: Self.doing)
            hear(heard)
            if heard.contains(where: { $0.channel == Self.probe && $0.payload == word }) { return }
        }
        throw PostgresError(
            code: .connect,
            message: "no notification arrives: LISTEN needs a session of its own, and a pooler in transaction mode "
                + "has none to give", doing: Self.doing)
    }

    // MARK: What is heard

    private func hear(_ notifications: [Notification]) {
        for notification in notifications {
            guard let tally = tallies[notification.channel] else { continue }
            hear(notification.payload, notification.channel) { tally.count($0) }
        }
    }

    private func hear(_ payload: [UInt8], _ channel: String, count: (ListenTally.Outcome) -> Void) {
        for heard in state.withLock({ $0.tables.readers[channel] })?.read(payload) ?? [] {
            switch heard {
            case .row(let row): count(state.withLock { $0.buffer.add(row) } ? .row : .overflow)
            case .anyRow(let table, let lacking):
                count(.anyRow)
                state.withLock { $0.buffer.add(anyRowOf: table) }
                if let lacking { tell(lacking, channel) }
            case .ignored: count(.ignored)
            case .unreadable(let table):
                if let table { state.withLock { $0.buffer.add(anyRowOf: table) } }
                unreadable(payload, channel)
            }
        }
    }

    private func unreadable(_ payload: [UInt8], _ channel: String) {
        tallies[channel]?.count(.unreadable)
        guard let news = state.withLock({ $0.news.isUnreadable(payload, at: .now) }) else { return }
        logger.warning(
            "A notification can't be read",
            metadata: ["channel": "\(channel.escaped)", "payload": "\(news.excerpt)", "count": "\(news.count)"])
    }

    private func tell(_ lacking: Heard.Column, _ channel: String) {
        guard state.withLock({ $0.news.lacks(lacking) }) else { return }
        logger.warning(
            "Notifications lack a column that rules need: any row counts as changed",
            metadata: [
                "channel": "\(channel.escaped)", "table": "\(lacking.table)", "column": "\(lacking.name)",
            ])
    }

    /// Nobody listened before.
    private func countGap() {
        gaps.increment()
        logger.notice(
            "Listening: notifications from before were not heard",
            metadata: ["channels": "\(channels.map(\.name.escaped).joined(separator: ", "))"])
        state.withLock { state in
            for channel in channels where channel.onGap == .anyRow {
                for table in state.tables.named where channel.tells(of: table) { state.buffer.add(anyRowOf: table) }
            }
        }
    }

    private func introduce() {
        let isFirst = state.withLock { state in
            defer { state.hasIntroducedItself = true }
            return !state.hasIntroducedItself
        }
        guard isFirst else { return }
        for channel in channels {
            let tables = channel.tables.map { $0.map(\.description).joined(separator: ", ") }
            logger.notice(
                "Changes that are told by notifications are served at most once: none is kept while nobody listens",
                metadata: [
                    "channel": "\(channel.name.escaped)", "tables": "\(tables ?? "all that rules name")",
                    "on_gap": "\(channel.onGap.rawValue)",
                ])
        }
    }

    // MARK: What is written

    private func write(by writer: ListenWriter) async throws {
        var (tables, batches) = state.withLock { ($0.tables, $0.buffer.takeRows()) }
        // A table whose capture is yet to be installed waits for that.
        let due = state.withLock { $0.buffer.takeAnyRows { tables.captured[$0] != nil } }
        var reasons = Dictionary(uniqueKeysWithValues: due.map { ($0, String?.none) })
        do {
            while let rows = batches.last {
                guard let table = tables.captured[rows[0].table] else {
                    state.withLock { $0.buffer.add(anyRowOf: rows[0].table) }
                    batches.removeLast()
                    continue
                }
                let outcome = try await writer.write(rows, of: table)
                batches.removeLast()
                reasons.merge(outcome.anyRows) { $1 }
                for row in outcome.unreadable { unreadable(row.payload, row.channel) }
                guard !outcome.outdated.isEmpty || outcome.anyRows[table.name] ?? nil != nil else { continue }
                try await load(writer.connection)
                tables = state.withLock { $0.tables }
                if !outcome.outdated.isEmpty { batches.append(outcome.outdated) }
            }
            let anyRows = reasons.compactMap { table, reason in tables.captured[table].map { ($0, reason) } }
            try await writer.write(anyRowsOf: anyRows, ring: tables.ring)
        } catch {
            state.withLock { state in
                for table in reasons.keys { state.buffer.add(anyRowOf: table) }
                for row in batches.joined() { _ = state.buffer.add(row) }
            }
            throw error
        }
    }

    // MARK: What is known

    private func load(_ connection: PostgresConnection) async throws {
        let tables = try await ListenedTables.read(channels, named: tables(), connection)
        state.withLock { state in
            state.tables = tables
            // No rule asks for what had to wait.
            _ = state.buffer.takeAnyRows { !tables.named.contains($0) }
        }
    }

    /// Looks at the capture now and then, and once a second where something waits for it.
    private func keepUp(_ connection: PostgresConnection, _ changed: @Sendable () -> Void) async throws -> Never {
        var loadedAt = ContinuousClock.now
        while true {
            // The period of a look at what others install.
            try await Task.sleep(for: .seconds(1))
            let (known, waits) = state.withLock { state in
                (state.tables.named, state.buffer.anyRows.contains { state.tables.captured[$0] == nil })
            }
            guard waits || known != tables() || .now - loadedAt >= checkInterval else { continue }
            try await load(connection)
            loadedAt = .now
            changed()
        }
    }
}
