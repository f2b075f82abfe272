/// How to reach a database.
public struct PostgresSettings: Sendable, CustomStringConvertible {
    /// A libpq connection string or URI; what it leaves out comes from libpq's `PG*` environment variables.
    public var connection: String
    /// What `pg_stat_activity` shows, unless the connection string says otherwise.
    public var applicationName: String
    /// How long a connection may take.
    public var connectTimeout: Duration

    /// Settings for the given libpq connection string or URI.
    public init(
        connection: String, applicationName: String = "unstale", connectTimeout: Duration = .seconds(5)
    ) {
        self.connection = connection
        self.applicationName = applicationName
        self.connectTimeout = connectTimeout
    }

    /// What is wrong with the connection string, without showing any of it; nil: nothing that could be told before
    /// connecting.
    public var mistake: String? { ConnectionString.mistake(in: connection) }

    /// Never the connection string: it may hold a password.
    public var description: String { "Postgres as \(applicationName)" }
}
