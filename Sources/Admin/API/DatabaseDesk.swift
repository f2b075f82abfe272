import Delivery
import Postgres
import Synchronization

/// Lends connections to Postgres to requests: each has its own, a few at a time, for a few seconds.
final class DatabaseDesk: Sendable {
    private static let limit = 2
    private static let deadline = Duration.seconds(5)

    private let settings: PostgresSettings
    private let inUse = Mutex(0)

    init(_ settings: PostgresSettings) { self.settings = settings }

    /// Runs `body` with a connection whose times are in UTC. Why that is not possible is thrown as a refusal.
    func with<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        let isFree = inUse.withLock { count in
            guard count < Self.limit else { return false }
            count += 1
            return true
        }
        guard isFree else { throw AdminRefusal.busy("two other requests are asking Postgres") }
        defer { inUse.withLock { $0 -= 1 } }
        do {
            return try await within(Self.deadline) { try await self.ask(body) }
        } catch let error as PostgresError {
            throw Self.refusal(error)
        }
    }

    private func ask<Value>(_ body: (PostgresConnection) async throws -> Value) async throws -> Value {
        var settings = settings
        settings.connectTimeout = min(settings.connectTimeout, Self.deadline)
        settings.applicationName = "unstale admin"
        let connection = try await PostgresConnection.connect(settings)
        try await connection.script("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'", doing: "setting up the session")
        return try await body(connection)
    }

    private func within<Value: Sendable>(
        _ deadline: Duration, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup { group in
            group.addTask { try await body() }
            // The deadline itself; it is cancelled as soon as there is an answer.
            group.addTask {
                try await Task.sleep(for: deadline)
                throw AdminRefusal.busy("Postgres didn't answer within 5 s")
            }
            defer { group.cancelAll() }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }

    private static func refusal(_ error: PostgresError) -> AdminRefusal {
        let noSuchTable = "42P01"
        let noSuchSchema = "3F000"
        if [noSuchTable, noSuchSchema].contains(error.sqlState) {
            return AdminRefusal(
                .serviceUnavailable, "there is no capture in this database: run 'unstale install' first")
        }
        let line = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
        return AdminRefusal(.serviceUnavailable, line)
    }
}
