import Logging
import Postgres
import Redis
import Rules
import TestSupport

@testable import Worker

extension Site {
    /// Lends a worker in this process, which leads: of these targets, or of the site's only one.
    func withWorkerInside(
        _ targets: [TargetSettings]? = nil, change: (inout WorkerSettings) -> Void = { _ in },
        isolation: isolated (any Actor)? = #isolation, _ body: (Worker) async throws -> Void
    ) async throws {
        var settings = WorkerSettings(postgres: PostgresSettings(connection: database))
        change(&settings)
        let worker = try Worker(
            rules: RuleSet.load([rules]).rules, settings: settings,
            targets: targets ?? [TargetSettings(url: RedisURL(redis))],
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup { group in
            group.addTask { try await worker.run() }
            try await eventually("it leads") { worker.status.state == .leading }
            try await body(worker)
            group.cancelAll()
            while case .failure(let error)? = await group.nextResult() {
                guard error is CancellationError else { throw error }
            }
        }
    }
}
