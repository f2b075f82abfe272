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
        var news: [String: ListenNews] = [:]
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
    /// by then is written when it is called again; where it is cancelled, that is tried at once, for it may be the end.
    public func listen() async throws {
        introduce()
        defer { isListening.record(0) }
        do {
            try await listenOnce()
        } catch {
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
        do {
            try await listen(with: ear, writer)
        } catch {
            if Task.isCancelled { await writeLast(by: writer) }
            throw error
        }
    }

    private func listen(with ear: PostgresConnection, _ writer: ListenWriter) async throws {
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
                    // What was heard again is yet to be written.
                    if self.state.withLock({ $0.buffer.hasRows }) { changed.yield() }
                    // The pace: what comes meanwhile is written together.
                    try await Task.sleep(for: self.pace)
                }
                try Task.checkCancellation()
            }
            group.addTask { try await self.keepUp(writer) { changed.yield() } }
            // None of them ends but by what it throws.
            try await group.next()
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
        guard let news = state.withLock({ $0.news[channel, default: ListenNews()].isUnreadable(payload, at: .now) })
        else { return }
        logger.warning(
            "A notification can't be read",
            metadata: ["channel": "\(channel.escaped)", "payload": "\(news.excerpt)", "count": "\(news.count)"])
    }

    private func tell(_ lacking: Heard.Column, _ channel: String) {
        guard state.withLock({ $0.news[channel, default: ListenNews()].lacks(lacking) }) else { return }
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
            for table in state.tables.named where channels.countGaps(of: table) { state.buffer.add(anyRowOf: table) }
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

    /// Writes what is in the buffer. What can't be written now is in it afterwards.
    private func write(by writer: ListenWriter) async throws {
        var batches = state.withLock { $0.buffer.takeRows() }
        do {
            while true {
                // That says more than all rows that were heard before it.
                let covered = try await writeAnyRows(by: writer) { $0.refusal == nil }
                batches.removeAll { covered.contains($0[0].table) }
                guard let rows = batches.last else { return }
                try await write(rows, by: writer)
                batches.removeLast()
            }
        } catch {
            state.withLock { state in
                for row in batches.joined() { _ = state.buffer.add(row) }
            }
            throw error
        }
    }

    /// Writes what is left, by a task of its own, for this one is cancelled. A Postgres that doesn't answer must not hold
    /// up the end for long.
    private func writeLast(by writer: ListenWriter) async {
        let writing = Task {
            repeat { try await write(by: writer) } while state.withLock { $0.buffer.hasRows }
            _ = try await writeAnyRows(by: writer) { _ in true }
        }
        let limit = Task {
            // The deadline itself; it is cancelled as soon as all is written.
            try await Task.sleep(for: .seconds(2))
            writing.cancel()
        }
        _ = await writing.result
        limit.cancel()
    }

    /// One attempt with rows of one table.
    private func write(_ rows: [HeardRow], by writer: ListenWriter) async throws {
        guard let table = state.withLock({ $0.tables.captured[rows[0].table] }), table.refusal == nil,
            rows.allSatisfy({ $0.capture == table.capture })
        else { return hearAgain(rows) }
        switch try await writer.write(rows, of: table) {
        case .written: break
        case .outdated:
            try await load(writer.connection)
            hearAgain(rows)
        case .unreadable(let row):
            state.withLock { $0.buffer.add(anyRowOf: table.name) }
            unreadable(row.payload, row.channel)
        case .refused(let reason):
            state.withLock { state in
                state.buffer.add(anyRowOf: table.name)
                state.tables.refuse(table.name, because: reason)
            }
        }
    }

    /// What rows mean to the capture as it is now, the one by which they were read does not know.
    private func hearAgain(_ rows: [HeardRow]) {
        for row in rows { hear(row.payload, row.channel) { _ in } }
    }

    /// Records any row of the tables that are due, and gives those; a table whose capture is yet to be installed waits
    /// for that.
    private func writeAnyRows(
        by writer: ListenWriter, where isDue: (ListenedTable) -> Bool
    ) async throws -> Set<TableName> {
        let (due, tables) = state.withLock { state in
            let tables = state.tables
            return (state.buffer.takeAnyRows { tables.captured[$0].map(isDue) ?? false }, tables)
        }
        do {
            try await writer.write(anyRowsOf: due.compactMap { tables.captured[$0] }, ring: tables.ring)
            return due
        } catch {
            state.withLock { state in
                for table in due { state.buffer.add(anyRowOf: table) }
            }
            throw error
        }
    }

    // MARK: What is known

    private func load(_ connection: PostgresConnection) async throws {
        let tables = try await ListenedTables.read(channels, named: tables(), connection)
        state.withLock { state in
            let changed = tables.captured.filter { state.tables.captured[$0.key] != $0.value }.keys
            state.tables = tables
            // No rule asks for what had to wait.
            _ = state.buffer.takeAnyRows { !tables.named.contains($0) }
            // Up to now, what is new of them was ignored.
            for table in changed where channels.countGaps(of: table) { state.buffer.add(anyRowOf: table) }
        }
    }

    /// Follows, once a second, what rules name and others install, and now and then whatever else may have changed.
    private func keepUp(_ writer: ListenWriter, _ changed: @Sendable () -> Void) async throws -> Never {
        var loaded: ListenedTables.Version?
        var loadedAt = ContinuousClock.now
        while true {
            // The period of a look at what others install.
            try await Task.sleep(for: .seconds(1))
            // No more often, for whatever changes of these tables is any row.
            _ = try await writeAnyRows(by: writer) { $0.refusal != nil }
            let version = try await ListenedTables.Version.read(tables(), writer.connection)
            if version != loaded || .now - loadedAt >= checkInterval {
                try await load(writer.connection)
                (loaded, loadedAt) = (version, .now)
                changed()
            }
        }
    }
}
