import Postgres
import Rules

/// Loads entries by a rule's query: one statement for a whole batch of them.
struct SQLLoader: Sendable {
    let connections: LoaderConnections
    /// The rule's name.
    let rule: String
    /// Whether the statement is kept in the session: not behind a pooler, where the next session is another one.
    let prepares: Bool

    /// What the query has for each of the calls, in their order. Where it fails, the calls are halved until those at
    /// fault stand alone, as long as there is time.
    func load(
        _ calls: [RewarmCall], _ statement: LoaderStatement, within timeout: Duration
    ) async -> [Loaded] {
        let deadline = ContinuousClock.now + timeout
        do throws(PostgresError) {
            return try await connections.with { connection throws(PostgresError) in
                try await load(calls[...], statement, connection, until: deadline)
            }
        } catch {
            return calls.map { _ in .refused(error.description, summary: error.summary) }
        }
    }

    private func load(
        _ calls: ArraySlice<RewarmCall>, _ statement: LoaderStatement, _ connection: PostgresConnection,
        until deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> [Loaded] {
        do throws(PostgresError) {
            return try await attempt(calls, statement, connection, until: deadline)
        } catch {
            guard error.isOfTheQuery else { throw error }
            let isOver = ContinuousClock.now >= deadline || error.tookTooLong
            guard calls.count > 1, !isOver else {
                return calls.map { _ in .refused(error.description, summary: error.summary) }
            }
            let middle = calls.startIndex + calls.count / 2
            return try await load(calls[..<middle], statement, connection, until: deadline)
                + load(calls[middle...], statement, connection, until: deadline)
        }
    }

    private func attempt(
        _ calls: ArraySlice<RewarmCall>, _ statement: LoaderStatement, _ connection: PostgresConnection,
        until deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> [Loaded] {
        let parameters = (0..<statement.arrayCount).map { index in
            Parameter.texts(calls.map { index < $0.parameters.count ? $0.parameters[index] : nil })
        }
        let rows = try await connections.query(
            statement.sql, parameters, on: connection, prepared: prepares, within: deadline - .now,
            doing: "loading for the rule '\(rule)'")
        var loaded = [Loaded](repeating: .absent, count: calls.count)
        for row in rows {
            guard let number = row.binaryInteger(0, as: Int64.self) else { continue }
            let index = Int(number) - 1
            if let bytes = row.bytes(2) {
                loaded[index] = .value(Array(bytes))
            } else if row.bytes(1) != nil {
                loaded[index] = .tooLarge
            }
        }
        return loaded
    }
}
