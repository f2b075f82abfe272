import Postgres

extension Settings {
    /// A connection to the database, in which there is a capture.
    func connectToCapture() async throws -> PostgresConnection {
        let connection = try await PostgresConnection.connect(postgres())
        let rows = try await connection.query(
            "SELECT to_regclass('unstale.installation') IS NOT NULL", doing: "looking for the capture")
        guard rows.first?.bool(0) == true else {
            throw Failure(.badSettings, "there is no capture in this database: run 'unstale install' first")
        }
        return connection
    }
}
