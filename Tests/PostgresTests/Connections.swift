import FoundationEssentials
import Postgres
import TestSupport
import Testing

extension PostgresConnection {
    /// A connection to the shared server, as a superuser.
    static func toSharedServer() async throws -> PostgresConnection {
        try await connect(PostgresSettings(connection: TestEnvironment.databaseURL))
    }

    /// The first value of a statement's first row.
    func value(_ sql: String, _ parameters: [Parameter] = []) async throws -> String? {
        try await query(sql, parameters, doing: "test").first?.text(0)
    }

    /// The process that serves this connection.
    var backend: Int {
        get async throws {
            try #require(try await query("SELECT pg_backend_pid()", doing: "test").first?.int(0))
        }
    }
}

/// The failure of what should fail.
func failure(
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Void
) async throws -> PostgresError {
    do {
        try await body()
    } catch let error as PostgresError {
        return error
    }
    throw TestError("nothing failed")
}

/// Whether an error is one line for people.
func isOneLine(_ error: PostgresError) -> Bool {
    let text = error.description
    return !text.contains { $0.isNewline || $0 == "\t" } && text.hasPrefix(error.doing + ": ")
        && text.count > error.doing.count + 5
}
