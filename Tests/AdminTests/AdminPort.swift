import Delivery
import FoundationEssentials
import Logging
import Postgres
import ServiceLifecycle
import Synchronization
import TestSupport

@testable import Admin
@testable import Worker

/// An admin port of a test, whose worker says what the test has it say.
final class AdminPort: Sendable {
    let metrics = PrometheusMetrics()
    private let port = Mutex(0)
    private let present = Mutex(AdminPort.status())
    private let orderLog = Mutex<[Bool]>([])
    private let orderedTargets = Mutex<[String?]>([])
    private let level = Mutex(Logger.Level.info)
    /// Bytes of each change in an endless feed; 0: it tells what the test tells.
    private let flooding = Mutex(0)
    private let takings = Mutex(0)
    private let goings = Mutex(0)
    private let continuations = Mutex<[AsyncStream<RecentChanges.News>.Continuation]>([])

    /// Lends one that is open; afterwards it has to end by a graceful shutdown, at once.
    static func with<Result>(
        host: String = "127.0.0.1", token: String? = "sesame", hosts: [String] = [],
        configure: (inout AdminSettings) -> Void = { _ in },
        isolation: isolated (any Actor)? = #isolation, _ body: (AdminPort) async throws -> Result
    ) async throws -> Result {
        let admin = AdminPort()
        var settings = AdminSettings(
            address: AdminAddress(host: host, port: 0), token: token.flatMap { AdminToken($0) }, hosts: hosts)
        configure(&settings)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let server = AdminServer(settings, source: admin.source, logger: logger)
        try await server.open()
        admin.port.withLock { $0 = server.port ?? 0 }
        let group = ServiceGroup(services: [server], logger: logger)
        let running = Task { try await group.run() }
        let result: Result
        do {
            result = try await body(admin)
        } catch {
            await group.triggerGracefulShutdown()
            try await running.value
            throw error
        }
        let start = ContinuousClock.now
        await group.triggerGracefulShutdown()
        try await running.value
        guard .now - start < .seconds(4) else { throw TestError("it took \(ContinuousClock.now - start) to end") }
        return result
    }

    private var source: AdminSource {
        let worker = AdminSource.Asked(
            status: { self.present.withLock { $0 } }, changes: { [Self.change(1)] },
            follow: {
                let padding = self.flooding.withLock { $0 }
                guard padding == 0 else { return self.endless(padding) }
                let (stream, continuation) = AsyncStream.makeStream(of: RecentChanges.News.self)
                continuation.onTermination = { _ in self.goings.withLock { $0 += 1 } }
                self.continuations.withLock { $0.append(continuation) }
                return stream
            },
            hold: { isHeld, target in
                self.orderLog.withLock { $0.append(isHeld) }
                self.orderedTargets.withLock { $0.append(target) }
                return self.present.withLock { $0.state == .leading }
            }, tables: { _ in [] }, table: { _ in nil })
        return AdminSource(
            worker, version: "1.2.3", postgres: PostgresSettings(connection: "host=127.0.0.1 port=1"),
            metrics: metrics, logLevel: { self.level.withLock { $0 } },
            setLogLevel: { level in self.level.withLock { $0 = level } })
    }

    private func endless(_ padding: Int) -> AsyncStream<RecentChanges.News> {
        AsyncStream {
            guard !Task.isCancelled else { return nil }
            let id = self.takings.withLock { count in
                count += 1
                return count
            }
            return .change(Self.change(id, padding: padding))
        } onCancel: {
            self.goings.withLock { $0 += 1 }
        }
    }

    static func status(_ state: WorkerStatus.State = .leading) -> WorkerStatus {
        let target = TargetReport(
            name: "default", redis: "redis://127.0.0.1:6379", state: .connected, reason: nil, isHeld: false,
            lagSeconds: 0.25, backlog: 12, retrying: 1, deadLetters: 2, totals: .init(),
            rules: [.init(name: "user", changes: 3, keysDeleted: 4, patterns: 0, rewarmed: 0, failures: 0)],
            rewarms: RewarmStatistics())
        return WorkerStatus(
            worker: "host 1", startedAt: Date(timeIntervalSince1970: 0.5), state: state, reason: nil,
            rules: .init(count: 1, loadedAt: Date(timeIntervalSince1970: 1), refused: []), degraded: [],
            targets: [target])
    }

    static func change(_ id: Int, padding: Int = 0) -> ChangeEvent {
        ChangeEvent(
            id: id, at: Date(timeIntervalSince1970: 1), target: "default", table: "public.users", kind: "update",
            rules: [.init(rule: "user", keys: ["user:\(id)" + String(repeating: "x", count: padding)])],
            state: .done, failures: [], lagMilliseconds: 3.5)
    }

    // MARK: What the worker says and is told

    /// Has the worker say something else of itself.
    func set(_ change: (inout WorkerStatus) -> Void) { present.withLock { change(&$0) } }

    /// Whether the target was to be left alone, each time.
    var orders: [Bool] { orderLog.withLock { $0 } }

    /// Which target that was about, each time; nil: all.
    var heldTargets: [String?] { orderedTargets.withLock { $0 } }

    /// How many followers there were.
    var followers: Int { continuations.withLock { $0.count } }

    /// How many of them have gone.
    var gone: Int { goings.withLock { $0 } }

    /// How many changes of an endless feed were taken.
    var taken: Int { takings.withLock { $0 } }

    /// From now on followers get changes without end, with so many bytes in each.
    func flood(_ padding: Int) { flooding.withLock { $0 = padding } }

    /// Tells all followers something.
    func tell(_ news: RecentChanges.News) {
        for follower in continuations.withLock({ $0 }) { follower.yield(news) }
    }

    // MARK: Asking it

    var number: Int { port.withLock { $0 } }

    func get(
        _ path: String, method: String = "GET", host: String? = "localhost", headers: [String: String] = [:],
        body: String = ""
    ) async throws -> RawAnswer {
        try await RawAnswer.get(path, port: number, method: method, host: host, headers: headers, body: body)
    }

    func connect(receiveBuffer: Int32? = nil) throws -> RawConnection {
        try RawConnection(port: number, receiveBuffer: receiveBuffer)
    }

    /// With the token.
    static let trusted = ["Authorization": "Bearer sesame", "Content-Type": "application/json"]
}
