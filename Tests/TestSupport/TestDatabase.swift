/// A database of one test on the shared server.
public struct TestDatabase: Sendable {
    /// Its name.
    public let name: String
    /// Where it is, as a superuser.
    public let url: String

    /// Lends an empty database, and drops it afterwards, whoever is still connected.
    public static func with<Result>(
        isolation: isolated (any Actor)? = #isolation, _ body: (TestDatabase) async throws -> Result
    ) async throws -> Result {
        let server = try TestEnvironment.databaseURL
        let name = "test_" + String(UInt64.random(in: .min ... .max), radix: 36)
        let database = TestDatabase(name: name, url: try replacingDatabase(of: server, by: name))
        try await psql(server, "CREATE DATABASE \(name) TEMPLATE template0")
        do {
            let result = try await body(database)
            try await psql(server, "DROP DATABASE \(name) WITH (FORCE)")
            return result
        } catch {
            // What went wrong first is what counts.
            _ = try? await psql(server, "DROP DATABASE \(name) WITH (FORCE)")
            throw error
        }
    }

    /// Runs SQL in it by psql, one transaction a statement, and gives the rows as lines with | between columns.
    @discardableResult
    public func psql(_ sql: String) async throws -> String { try await Self.psql(url, sql) }

    @discardableResult
    private static func psql(_ url: String, _ sql: String) async throws -> String {
        try await command("psql", ["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql])
    }

    private static func replacingDatabase(of url: String, by name: String) throws -> String {
        guard let slash = url.lastIndex(of: "/") else { throw TestError("not a database's URL: \(url)") }
        return url[...slash] + name
    }
}
