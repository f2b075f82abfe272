import Postgres
import Rules
import TestSupport
import Testing

@testable import Delivery

@Suite struct LoaderConnectionTests {
    private static let rules = """
        version: 1
        rules: [{name: r, table: t, rewarm: [{key: "k:{id}", sql: "select 'value' where :id is not null", ttl: 1h}]}]
        """

    private func load(from server: PostgresServer) async throws -> [Loaded] {
        let rewarm = try RuleSet.parse(Self.rules, file: "r.yaml").rules[0].rewarm[0]
        let statement = try #require(LoaderStatement(rewarm) { _ in "text" })
        let connections = LoaderConnections(
            PostgresSettings(connection: server.url()), sessionSettings: "SET bytea_output = hex")
        let call = RewarmCall(rule: 0, entry: 0, key: Key("k:1"), input: .sql([Array("1".utf8)]), isKeyed: true)
        return await SQLLoader(connections: connections, rule: "r", prepares: true)
            .load([call], statement, within: .seconds(5))
    }

    /// Of several hosts in a connection string, one that was the primary may answer first.
    @Test func nothingIsLoadedFromAStandby() async throws {
        try await PostgresServer.with { server in
            #expect(try await load(from: server) == [.value(Array("value".utf8))])
            let administrator = try await PostgresConnection.connect(PostgresSettings(connection: server.url()))
            try await administrator.script(
                """
                DO $$ BEGIN
                    EXECUTE format('COPY (SELECT) TO %L', current_setting('data_directory') || '/standby.signal');
                END $$
                """, doing: "making a standby")
            try await server.restart()
            guard case .refused(let reason, _) = try await load(from: server)[0] else {
                Issue.record("loaded from a standby")
                return
            }
            #expect(reason.contains("standby"))
            do {
                _ = try await PostgresConnection.connectToPrimary(PostgresSettings(connection: server.url()))
                Issue.record("connected to a standby")
            } catch {
                #expect("\(error)".contains("this is a standby"))
            }
        }
    }
}
