import Logging
import Postgres
import Rules
import TestSupport

@testable import Capture

extension Captured {
    /// A listener to the settings' channels. What it follows at once, it does not find out by looking now and then.
    ///
    /// - Parameter named: The tables that rules name now; nil: those of the rules.
    func listener(named: (@Sendable () -> Set<TableName>)? = nil) -> Listener {
        let all = Set(rules.tables)
        return Listener(
            settings.listen, postgres: PostgresSettings(connection: database.url, applicationName: "listener"),
            pace: .milliseconds(5), checkInterval: .seconds(600), logger: Logger(label: "test"),
            tables: named ?? { all })
    }

    /// Listens to the settings' channels while `body` runs.
    func listening<Result>(
        named: (@Sendable () -> Set<TableName>)? = nil, isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Result
    ) async throws -> Result {
        let listener = listener(named: named)
        let listening = Task { try await listener.listen() }
        defer { listening.cancel() }
        try await waitForListener()
        return try await body()
    }

    /// Waits until what is sent is heard.
    func waitForListener() async throws {
        try await eventually("LISTEN") {
            try await owner.value(
                """
                SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                    AND application_name = 'listener' AND state = 'idle' AND query LIKE 'LISTEN%'
                """) == "1"
        }
    }

    /// Runs SQL, and gives for each change that is heard because of it what happened and which rules it concerns.
    func firingsHeard(_ sql: String) async throws -> [String] {
        try await owner.run(sql)
        var firings: [String] = []
        try await eventually {
            firings += try await self.firings(of: "SELECT")
            return !firings.isEmpty
        }
        return firings
    }

    /// Runs SQL, and waits for these changes, in any order. What is told afterwards is not looked at.
    func expectHeard(_ sql: String, _ expected: [String], by session: PostgresConnection? = nil) async throws {
        try await (session ?? owner).script(sql, doing: "the test's SQL")
        try await expectHeard(sql, "\(expected.sorted())") { $0.sorted() == expected.sorted() }
    }

    /// Runs SQL, and waits for this change, whatever else there is.
    func expectHeard(_ sql: String, among expected: String) async throws {
        try await owner.script(sql, doing: "the test's SQL")
        try await expectHeard(sql, expected) { $0.contains(expected) }
    }

    private func expectHeard(_ sql: String, _ what: String, _ isExpected: ([String]) -> Bool) async throws {
        var heard: [String] = []
        do {
            try await eventually(within: .seconds(20)) {
                heard += try await changes()
                return isExpected(heard)
            }
        } catch {
            throw TestError("\(sql): heard \(heard.sorted()), and not \(what)")
        }
    }
}

/// Triggers as other people write them.
enum ForeignTriggers {
    /// A trigger on a table that tells each row's change, by a function of its own.
    static func on(_ table: String, channel: String = "changes") -> String {
        """
        CREATE OR REPLACE FUNCTION public.tell() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify(TG_ARGV[0], json_build_object(
                'table', TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, 'op', TG_OP,
                'old', CASE WHEN TG_OP <> 'INSERT' THEN row_to_json(OLD) END,
                'new', CASE WHEN TG_OP <> 'DELETE' THEN row_to_json(NEW) END)::text);
            RETURN NULL;
        END $$;
        CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON \(table)
            FOR EACH ROW EXECUTE FUNCTION public.tell('\(channel)');
        """
    }
}
