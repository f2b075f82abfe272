internal import CPostgres
import Glibc
import Metrics
import Synchronization

/// One connection to Postgres by libpq, on a serial executor of its own.
///
/// Its calls block that executor's thread and nothing else. Each has a deadline and ends when the task that
/// waits for it is cancelled. A statement is one call without an `await` in it, so nothing can come between.
public actor PostgresConnection {
    private let executor: QueueExecutor
    private let interrupt = Interrupt()
    private let waitIsOver = Atomic(false)
    private let handle: Handle
    private nonisolated let hosts: HostList
    /// Names of prepared statements by their SQL.
    private var preparedNames: [String: String] = [:]

    /// The queue, for tasks that do little but call this connection: on it they need no change of threads. What
    /// else they start must run elsewhere, for the queue stands still while the connection waits.
    public nonisolated var taskExecutor: any TaskExecutor { executor.forTasks }

    /// The actor's own queue.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// A connection, ready for statements.
    ///
    /// Both ends notice within some seconds that the other's host is gone: keepalives are set here for the
    /// client and for the server's side of this session.
    public static func connect(_ settings: PostgresSettings) async throws(PostgresError) -> PostgresConnection {
        var connection = try PostgresConnection(settings)
        let hosts = connection.hosts
        // libpq goes on to the next host where one refuses; one that says nothing has its time, and is then passed over.
        for skipped in 1... {
            do throws(PostgresError) {
                try await connection.interruptible { connection throws(PostgresError) in
                    try connection.finishConnecting(within: settings.connectTimeout)
                }
                break
            } catch {
                guard error.code == .timeout, skipped < hosts.count else { throw error }
                connection = try PostgresConnection(settings, hosts.skipping(skipped))
            }
        }
        try await connection.script(Self.sessionSettings, doing: "setting up the connection")
        return connection
    }

    private init(_ settings: PostgresSettings, _ hosts: [(String, String)] = []) throws(PostgresError) {
        executor = QueueExecutor(label: "unstale.postgres")
        if let mistake = ConnectionString.mistake(in: settings.connection) {
            throw PostgresError(code: .connect, message: mistake, doing: "connecting to Postgres")
        }
        let keywords =
            [
                ("dbname", settings.connection), ("fallback_application_name", settings.applicationName),
                ("client_encoding", "UTF8"), ("keepalives_idle", "2"), ("keepalives_interval", "1"),
                ("keepalives_count", "2"), ("tcp_user_timeout", "5000"),
            ] + hosts
        guard let pointer = Handle.start(keywords) else {
            throw PostgresError(code: .connect, message: "out of memory", doing: "connecting to Postgres")
        }
        // libpq prints notices to stderr unless told otherwise.
        PQsetNoticeProcessor(pointer, { _, _ in }, nil)
        handle = Handle(pointer: pointer)
        self.hosts = handle.hosts
    }

    private func finishConnecting(within timeout: Duration) throws(PostgresError) {
        let doing = "connecting to Postgres"
        let deadline = ContinuousClock.now + timeout
        while true {
            switch PQconnectPoll(handle.pointer) {
            case PGRES_POLLING_OK:
                PQsetnonblocking(handle.pointer, 1)
                return
            case PGRES_POLLING_FAILED:
                throw PostgresError(code: .connect, message: handle.errorMessage, doing: doing)
            case PGRES_POLLING_WRITING: try wait(for: POLLOUT, until: deadline, doing: doing)
            default: try wait(for: POLLIN, until: deadline, doing: doing)
            }
        }
    }

    // MARK: Statements

    /// Runs one statement with bound parameters; `binary` asks for results in binary form.
    ///
    /// A statement that is `prepared` is parsed and planned once in the session; it must be one of a few, for it
    /// is never forgotten.
    public nonisolated func query(
        _ sql: String, _ parameters: [Parameter] = [], binary: Bool = false, prepared: Bool = false,
        deadline: Duration = .seconds(30), doing: String
    ) async throws(PostgresError) -> Rows {
        try await interruptible { connection throws(PostgresError) in
            try connection.run(
                sql, parameters, binary: binary, prepared: prepared, within: deadline, doing: doing)
        }
    }

    func run(
        _ sql: String, _ parameters: [Parameter], binary: Bool, prepared: Bool, within deadline: Duration, doing: String
    ) throws(PostgresError) -> Rows {
        let name = prepared ? try prepare(sql, within: deadline, doing: doing) : nil
        return try run(within: deadline, doing: doing) { send(sql, name: name, parameters, binary: binary) }
    }

    private func prepare(_ sql: String, within timeout: Duration, doing: String) throws(PostgresError)
        -> String
    {
        if let name = preparedNames[sql] { return name }
        let name = "unstale_\(preparedNames.count + 1)"
        _ = try run(within: timeout, doing: doing) { PQsendPrepare(handle.pointer, name, sql, 0, nil) }
        preparedNames[sql] = name
        return name
    }

    /// Runs statements separated by semicolons, without parameters, as one message; returns the last result.
    @discardableResult
    public nonisolated func script(
        _ sql: String, deadline: Duration = .seconds(30), doing: String
    ) async throws(PostgresError) -> Rows {
        try await interruptible { connection throws(PostgresError) in
            try connection.run(script: sql, within: deadline, doing: doing)
        }
    }

    func run(script sql: String, within deadline: Duration, doing: String) throws(PostgresError) -> Rows {
        try run(within: deadline, doing: doing) { PQsendQuery(handle.pointer, sql) }
    }

    private func send(_ sql: String, name: String?, _ parameters: [Parameter], binary: Bool) -> Int32 {
        let encoded = parameters.map(\.encoded)
        let lengths = encoded.map { Int32($0?.count ?? 0) }
        let formats = parameters.map { $0.isBinary ? Int32(1) : 0 }
        let types: [Oid] = parameters.map { $0.isBinary ? 1009 : 0 }  // text[]; the server infers the rest
        var flat: [UInt8] = []
        let offsets = encoded.map { value -> Int? in
            defer { flat += value ?? [] }
            return value == nil ? nil : flat.count
        }
        return flat.withUnsafeBytes { buffer in
            let values = offsets.map { offset in
                offset.map {
                    buffer.baseAddress.unsafelyUnwrapped.advanced(by: $0).assumingMemoryBound(to: CChar.self)
                }
            }
            let count = Int32(parameters.count)
            let resultFormat: Int32 = binary ? 1 : 0
            guard let name else {
                return PQsendQueryParams(
                    handle.pointer, sql, count, types, values, lengths, formats, resultFormat)
            }
            return PQsendQueryPrepared(handle.pointer, name, count, values, lengths, formats, resultFormat)
        }
    }

    private func run(within timeout: Duration, doing: String, _ send: () -> Int32) throws(PostgresError)
        -> Rows
    {
        let deadline = ContinuousClock.now + timeout
        guard send() == 1 else {
            throw PostgresError(code: .disconnected, message: handle.errorMessage, doing: doing)
        }
        let start = ContinuousClock.now
        try flush(until: deadline, doing: doing)
        let rows = try results(until: deadline, doing: doing)
        Self.roundTrips.record(duration: .now - start)
        return rows
    }

    private static let roundTrips = Metrics.Timer(label: "unstale_postgres_round_trip_seconds")

    private func results(until deadline: ContinuousClock.Instant, doing: String) throws(PostgresError) -> Rows {
        var rows = Rows(columns: [], affected: 0, bytes: [], values: [])
        var failure: PostgresError?
        while let pointer = try nextResult(until: deadline, doing: doing) {
            let result = Result(pointer: pointer)
            switch result.status {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: rows = result.rows
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                close()
                throw PostgresError(code: .disconnected, message: "COPY is not possible here", doing: doing)
            default: failure = failure ?? result.error(doing: doing)
            }
        }
        if let failure {
            throw PQstatus(handle.pointer) == CONNECTION_OK ? failure : failure.asDisconnected
        }
        return rows
    }

    private func flush(until deadline: ContinuousClock.Instant, doing: String) throws(PostgresError) {
        while true {
            switch PQflush(handle.pointer) {
            case 0: return
            case 1:
                // The server may be sending too: what it says must be read, or both sides wait for ever.
                try wait(for: POLLIN | POLLOUT, until: deadline, doing: doing)
                try consume(doing: doing)
            default: throw PostgresError(code: .disconnected, message: handle.errorMessage, doing: doing)
            }
        }
    }

    private func nextResult(until deadline: ContinuousClock.Instant, doing: String) throws(PostgresError)
        -> OpaquePointer?
    {
        while PQisBusy(handle.pointer) != 0 {
            try wait(for: POLLIN, until: deadline, doing: doing)
            try consume(doing: doing)
        }
        return PQgetResult(handle.pointer)
    }

    private func consume(doing: String) throws(PostgresError) {
        guard PQconsumeInput(handle.pointer) == 1 else {
            throw PostgresError(code: .disconnected, message: handle.errorMessage, doing: doing)
        }
    }

    // MARK: Statements that run while the caller does other things

    /// Sends a statement and returns at once. Until `isFinished` or `stop`, nothing else can run here.
    public nonisolated func start(_ sql: String, doing: String) async throws(PostgresError) {
        try await interruptible { connection throws(PostgresError) in
            guard PQsendQuery(connection.handle.pointer, sql) == 1 else {
                throw PostgresError(
                    code: .disconnected, message: connection.handle.errorMessage, doing: doing)
            }
            try connection.flush(until: .now + .seconds(5), doing: doing)
        }
    }

    /// Whether the started statement has ended. Its failure is thrown, once.
    public nonisolated func isFinished(doing: String) async throws(PostgresError) -> Bool {
        try await interruptible { connection throws(PostgresError) in
            try connection.consume(doing: doing)
            guard PQisBusy(connection.handle.pointer) == 0 else { return false }
            _ = try connection.results(until: .now + .seconds(5), doing: doing)
            return true
        }
    }

    /// Stops the started statement, if it has not come to its end. What it did that is no part of a transaction,
    /// such as taking a session's lock, may be done even where it was stopped.
    public nonisolated func stop(doing: String) async throws(PostgresError) {
        try await interruptible { connection throws(PostgresError) in
            connection.cancelStatement()
            do throws(PostgresError) {
                _ = try connection.results(until: .now + .seconds(5), doing: doing)
            } catch {
                guard error.sqlState == "57014" else { throw error }
            }
        }
    }

    // MARK: Notifications

    /// Waits until a notification has arrived on a channel that this session LISTENs to, and takes all that
    /// have; false when `timeout` passed first.
    public nonisolated func waitForNotification(within timeout: Duration) async throws(PostgresError) -> Bool {
        try await !notifications(within: timeout, doing: "waiting for the doorbell").isEmpty
    }

    /// The same, and gives them, oldest first; none when `timeout` passed first.
    public nonisolated func notifications(
        within timeout: Duration, doing: String
    ) async throws(PostgresError) -> [Notification] {
        try await interruptible { connection throws(PostgresError) in
            try connection.awaitNotifications(until: .now + timeout, doing: doing)
        }
    }

    private func awaitNotifications(
        until deadline: ContinuousClock.Instant, doing: String
    ) throws(PostgresError) -> [Notification] {
        while true {
            let taken = takeNotifications()
            guard taken.isEmpty else { return taken }
            if waitIsOver.exchange(false, ordering: .relaxed) { return [] }
            switch poll(for: POLLIN, until: deadline) {
            case .ready: try consume(doing: doing)
            case .passed: return []
            case .interrupted:
                interrupt.drain()
                guard !Task.isCancelled else {
                    throw PostgresError(code: .cancelled, message: "cancelled", doing: doing)
                }
            }
        }
    }

    /// Ends the `waitForNotification` that is going on, or else the next, as if its time had passed.
    public nonisolated func endWait() {
        waitIsOver.store(true, ordering: .relaxed)
        interrupt.raise()
    }

    private func takeNotifications() -> [Notification] {
        var taken: [Notification] = []
        while let pointer = PQnotifies(handle.pointer) { taken.append(Notification(pointer)) }
        return taken
    }

    // MARK: Waiting

    private enum Wait { case ready, passed, interrupted }

    private func poll(for events: Int32, until deadline: ContinuousClock.Instant) -> Wait {
        var descriptors = [
            pollfd(fd: PQsocket(handle.pointer), events: Int16(events), revents: 0),
            pollfd(fd: interrupt.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let left = max(.zero, deadline - .now)
            switch Glibc.poll(&descriptors, 2, Int32(clamping: Int64(left / .milliseconds(1)) + 1)) {
            case 0: return .passed
            case ..<0 where errno == EINTR: continue
            default: return descriptors[1].revents != 0 ? .interrupted : .ready
            }
        }
    }

    private func wait(for events: Int32, until deadline: ContinuousClock.Instant, doing: String)
        throws(PostgresError)
    {
        switch poll(for: events, until: deadline) {
        case .ready: return
        case .interrupted:
            // The end of a wait for notifications is none of this call's.
            interrupt.drain()
            guard Task.isCancelled else { return }
            cancelStatement()
        case .passed:
            close()
            throw PostgresError(code: .timeout, message: "no answer in time", doing: doing)
        }
    }

    /// Has the server stop the running statement; it then answers with SQLSTATE 57014, or has finished. Where it
    /// does neither, as one that stands still, the connection is closed.
    private func cancelStatement() {
        interrupt.end()
        let deadline = ContinuousClock.now + .seconds(2)
        while ContinuousClock.now < deadline, handle.requestCancel() {
            // A request that overtakes its statement is ignored, so it is made again.
            let patience = ContinuousClock.now + .milliseconds(100)
            while poll(for: POLLIN, until: patience) == .ready {
                guard PQconsumeInput(handle.pointer) == 1, PQisBusy(handle.pointer) != 0 else { return }
            }
        }
        close()
    }

    /// Runs `body` on the actor; when the task is cancelled meanwhile, the wait inside it is interrupted.
    nonisolated func interruptible<Value: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        let ticket = interrupt.ticket()
        let outcome: Swift.Result<Value, PostgresError> = await withTaskCancellationHandler {
            await self.attempt(ticket, body)
        } onCancel: {
            interrupt.raise(ticket)
        }
        return try outcome.get()
    }

    private func attempt<Value: Sendable>(
        _ ticket: Int, _ body: (isolated PostgresConnection) throws(PostgresError) -> Value
    ) -> Swift.Result<Value, PostgresError> {
        interrupt.begin(ticket)
        defer { interrupt.end() }
        guard !Task.isCancelled else {
            return .failure(
                PostgresError(code: .cancelled, message: "cancelled", doing: "waiting for Postgres"))
        }
        do {
            return .success(try body(self))
        } catch {
            return .failure(error.sqlState == "57014" && Task.isCancelled ? error.asCancelled : error)
        }
    }

    /// Shuts the socket: every later call fails as disconnected.
    private func close() { shutdown(PQsocket(handle.pointer), Int32(SHUT_RDWR)) }
}
