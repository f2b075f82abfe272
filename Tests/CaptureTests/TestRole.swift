import Postgres
import TestSupport

/// A role of one test. Roles are the whole cluster's, so each has a name of its own.
enum TestRole {
    /// Lends a role that may log in and nothing else; it is dropped when the databases that know it are gone.
    static func with<Result>(
        isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Result
    ) async throws -> Result {
        let server = try await PostgresConnection.connect(
            PostgresSettings(connection: TestEnvironment.databaseURL))
        let name = "role_" + String(UInt64.random(in: .min ... .max), radix: 36)
        try await server.run("CREATE ROLE \(name) LOGIN")
        do {
            let result = try await body(name)
            try await server.run("DROP ROLE IF EXISTS \(name)")
            return result
        } catch {
            try await server.run("DROP ROLE IF EXISTS \(name)")
            throw error
        }
    }
}

/// The failure of what should fail.
func failure(
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Void
) async throws -> any Error {
    do {
        try await body()
    } catch {
        return error
    }
    throw TestError("nothing failed")
}

/// Whether the server refused this for want of a right.
func isForbidden(
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Void
) async throws -> Bool {
    (try await failure(body) as? PostgresError)?.sqlState == "42501"
}
