import Postgres
import Rules
import TestSupport
import Testing

/// What stands in keys and rows is in the log at debug and below, and nowhere above.
@Suite struct LogPrivacyTests {
    private static let marker = "MARKER-4711"
    private static let schema = """
        CREATE TABLE users (id text PRIMARY KEY, name text);
        CREATE TABLE items (id text PRIMARY KEY, name text);
        CREATE TABLE lines (id text PRIMARY KEY, name text);
        CREATE FUNCTION public.fail(text) RETURNS text LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no % here', $1 USING DETAIL = $1, HINT = $1; END $$;
        CREATE FUNCTION public.build(text) RETURNS text LANGUAGE plpgsql AS
            $$ DECLARE result text; BEGIN EXECUTE format('SELECT %I', $1) INTO result; RETURN result; END $$;
        """
    private static let rules = """
        version: 1
        rules:
          - {name: user, table: users, delete: {keys: ["user:{id}"], patterns: ["list:{id}:*"]}}
          - name: cast
            table: items
            rewarm: [{key: "cast:{id}", sql: "select :id::int", ttl: 1h}]
          - name: raised
            table: items
            rewarm: [{key: "raised:{id}", sql: "select public.fail(:id)", ttl: 1h}]
          - name: built
            table: items
            lookup: select public.build(:name) as found
            delete: {keys: ["built:{found}"]}
          - name: condition
            table: lines
            where: new.name::int > 0
            delete: {keys: ["line:{id}"]}
        """

    /// Loaders, lookups and conditions that fail with a value in their message, and keys that Redis refuses and quotes.
    @Test(arguments: ["info", "debug"]) func failures(level: String) async throws {
        try await Site.with(rules: Self.rules, schema: Self.schema) { site, redis in
            try await FaultProxy.with(to: redis.port) { proxy in
                let key = "user:\(Self.marker)"
                try await site.cache().set(key)
                proxy.poison(Array(key.utf8), with: "WRONGTYPE Operation against '\(key)' and \(key)")
                var site = site
                site.redis = "redis://127.0.0.1:\(proxy.port)"
                let worker = try site.startWorker(["--attempts", "2", "--log-level", level])
                try await worker.waitUntilServing()
                let application = try await site.connect()
                for table in ["users", "items", "lines"] {
                    try await application.sql("INSERT INTO \(table) VALUES ('\(Self.marker)', '\(Self.marker)')")
                }
                for rule in ["user", "cast", "raised", "built"] {
                    try await eventually("a dead letter of \(rule)") {
                        worker.lines.contains {
                            $0.contains("] An action is a dead letter now") && $0.contains("rule=\(rule)")
                        }
                    }
                }
                try await worker.wait(for: "] A capture could not tell which rows changed")
                try await worker.wait(for: "] Degraded")
                try await quoteArguments(site, proxy, worker)
                let list = try await site.unstale(["dead-letters", "list"])
                #expect(list.split(separator: "\n").count { $0.contains(Self.marker) } == 4, "they keep it: \(list)")
                #expect(try await worker.terminate() == 0)

                let told = worker.lines.filter { !$0.contains(" [debug] ") }
                #expect(told.filter { $0.contains("MARKER") } == [])
                #expect(worker.count("MARKER") > 0 || level == "info")
                // What is said instead is enough to know what to look for.
                for text in [
                    #"rule=cast reason="#, "invalid_text_representation (SQLSTATE 22P02)",
                    "raise_exception (SQLSTATE P0001)",
                    "undefined_column (SQLSTATE 42703)", "reason=WRONGTYPE",
                    "NOPERM User x may not run the 'unlink' command",
                    "ERR unknown command 'UNLINK'",
                ] {
                    let words = text.hasPrefix("rule") ? "rule=cast" : text
                    #expect(told.contains { $0.contains(words) }, "\(text) in\n\(told.joined(separator: "\n"))")
                }
            }
        }
    }

    /// Errors by which a Redis speaks of itself, and quotes the command's arguments.
    private func quoteArguments(_ site: Site, _ proxy: FaultProxy, _ worker: Program) async throws {
        let application = try await site.connect()
        let errors = [
            "ERR unknown command 'UNLINK', with args beginning with: '\(Self.marker)' ",
            "NOPERM User x may not run the 'unlink' command on 'it's \(Self.marker)' or \"\(Self.marker)\"",
        ]
        for (number, error) in errors.enumerated() {
            let key = Array("user:\(number)".utf8)
            proxy.poison(key, with: error)
            try await application.sql("INSERT INTO users VALUES ('\(number)', '')")
            try await worker.wait(for: String(error.prefix(28)))
            proxy.poison(key, with: nil)
            try await worker.wait(for: "] Redis is back", count: number + 1)
        }
    }
}
