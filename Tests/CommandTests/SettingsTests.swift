import TestSupport
import Testing

/// Settings: where they come from, and what is wrong with them.
@Suite struct SettingsTests {
    /// `attempts` shows by its message which value counts.
    @Test func precedence() async throws {
        try await withRules { folder, rules in
            let config = folder + "/unstale.yaml"
            try write("attempts: file\ngrace: {period: 5s}\nlog.level: notice", to: config)
            let environment = rules.merging(["UNSTALE_ATTEMPTS": "environment"]) { $1 }
            func complaint(_ arguments: [String], _ environment: [String: String]) async throws -> [String] {
                let program = try Program(["run"] + arguments, environment: environment)
                #expect(try await program.end() == 78)
                return program.lines
            }
            #expect(
                try await complaint(["--attempts", "flag", "--config", config], environment)
                    == ["unstale: attempts: 'flag' is no number from 1 up"])
            #expect(
                try await complaint(["--config", config], environment)
                    == ["unstale: attempts: 'environment' is no number from 1 up"])
            #expect(
                try await complaint(["--config", config], rules)
                    == ["unstale: attempts: 'file' is no number from 1 up"])
        }
    }

    /// Each setting by each way, and what is said about a bad value.
    @Test(arguments: [
        ("attempts", "0", "'0' is no number from 1 up"),
        ("attempts", "1.5", "'1.5' is no number from 1 up"),
        ("attempts", "99999999999999999999", "'99999999999999999999' is no number from 1 up"),
        ("row.limit", "-1", "'-1' is no number from 1 up"),
        ("grace.period", "10", "'10' is no duration such as 250ms, 5s or 15m"),
        ("grace.period", "0s", "'0s' is no duration such as 250ms, 5s or 15m"),
        ("lock.timeout", "soon", "'soon' is no duration such as 250ms, 5s or 15m"),
        ("replay.window", "-5m", "'-5m' is no duration such as 250ms, 5s or 15m"),
        ("wake", "Notify", "'Notify' is none of notify, poll"),
        ("log.level", "loud", "'loud' is none of trace, debug, info, notice, warning, error, critical"),
        ("log.format", "xml", "'xml' is none of text, json"),
        ("always", "yes", "'yes' is neither true nor false"),
        (
            "redis.url", "localhost:6379",
            "the Redis URL is written redis://host:port/database or unix:///path"
        ),
        ("redis.url", "rediss://h?cert=/c", "the Redis URL has one of cert and key, which belong together"),
        (
            "redis.url", "http://h",
            "the Redis URL has the unknown scheme http://; known are redis://"
        ),
        ("redis.url", "redis://:s3cret@h:port", "the Redis URL can't be parsed"),
        ("redis.url", "redis://h/x", "the Redis URL has no number for a database: x"),
        ("database.url", "postgres://u:s3cret@h/d?sslmod=require", "the connection string can't be read"),
        ("database.url", "host=h password=s3cret nope=1", "the connection string can't be read"),
        ("database.url", "mysql://u:s3cret@h/d", "the connection string can't be read"),
    ]) func badValue(name: String, value: String, message: String) async throws {
        try await withRules { folder, rules in
            let flag = name == "always" ? nil : "--" + name.replacing(".", with: "-")
            let variable = "UNSTALE_" + name.uppercased().replacing(".", with: "_")
            let config = folder + "/unstale.yaml"
            try write("\(name): \"\(value)\"", to: config)
            var outcomes = [
                try await unstale("run", environment: rules.merging([variable: value]) { $1 }),
                try await unstale("run", "--config", config, environment: rules),
            ]
            if let flag { outcomes.append(try await unstale("run", "\(flag)=\(value)", environment: rules)) }
            for outcome in outcomes {
                #expect(outcome.code == 78)
                #expect(outcome.output == "")
                #expect(outcome.errors.count == 1)
                #expect(
                    outcome.errors.first?.hasPrefix("unstale: \(name): \(message)") == true,
                    "\(outcome.errors)")
                #expect(!outcome.errors.joined().contains("s3cret"))
            }
        }
    }

    @Test(arguments: [
        ("", "the file is empty"),
        ("- attempts", "the settings must be a mapping"),
        ("attempts", "the settings must be a mapping"),
        ("attempts: 3\natempts: 3", "2:1: unknown setting 'atempts'; did you mean 'attempts'?"),
        ("target: []", "1:1: unknown setting 'target'; did you mean 'targets'?"),
        ("redis:\n  ulr: redis://:s3cret@h", "2:3: unknown setting 'redis.ulr'; did you mean 'redis.url'?"),
        ("zebra: s3cret", "1:1: unknown setting 'zebra'"),
        ("attempts: [1]", "1:1: 'attempts' takes one value"),
        ("redis: {url: {host: s3cret}}", "1:9: 'redis.url' takes one value"),
        ("redis.url: redis://u:s3cret@h: 1", "1:30: mapping values are not allowed in this context"),
        ("redis.url: \"s3cret", "1:19: found unexpected end of stream"),
        ("a: *s3cret", "undefined alias"),
    ]) func badFile(text: String, message: String) async throws {
        try await withRules { folder, rules in
            let config = folder + "/unstale.yaml"
            try write(text, to: config)
            let outcome = try await unstale("check", "--config", config, environment: rules)
            #expect(outcome.code == 78)
            #expect(outcome.output == "")
            #expect(outcome.errors.count == 1)
            #expect(outcome.errors.first?.hasPrefix("unstale: \(config):") == true)
            #expect(outcome.errors.first?.contains(message) == true, "\(outcome.errors)")
            #expect(!outcome.errors.joined().contains("s3cret"))
        }
    }

    @Test func everyMistakeInAFile() async throws {
        try await withRules { folder, rules in
            let config = folder + "/unstale.yaml"
            try write("a: 1\nattempts: 3\nredis: {b: 2}\n", to: config)
            let outcome = try await unstale("check", "--config", config, environment: rules)
            #expect(outcome.code == 78)
            #expect(
                outcome.errors == [
                    "unstale: \(config):1:1: unknown setting 'a'",
                    "unstale: \(config):3:9: unknown setting 'redis.b'",
                ])
        }
    }

    @Test func unreadableFile() async throws {
        try await withRules { folder, rules in
            let missing = try await unstale("check", "--config", "/nowhere/unstale.yaml", environment: rules)
            #expect(missing.code == 78)
            #expect(
                missing.errors == ["unstale: /nowhere/unstale.yaml: can't be read: No such file or directory"]
            )
            let outcome = try await unstale("check", "--config", folder, environment: rules)
            #expect(outcome.code == 78)
            #expect(outcome.errors == ["unstale: \(folder): can't be read: Is a directory"])
        }
    }

    /// A file that holds everything, numbers and booleans without quotes.
    @Test func wholeFile() async throws {
        try await Shop.with { shop in
            let config = shop.folder + "/unstale.yaml"
            try write(
                """
                database: {url: "\(shop.database.url)"}
                rules: \(shop.rules)
                log: {level: error, format: json}
                wake: poll
                row: {limit: 1000}
                replay.window: 30m
                lock: {timeout: 3s}
                always: true
                attempts: 4
                """, to: config)
            let outcome = try await unstale("install", "--config", config)
            #expect(outcome.code == 0)
            #expect(outcome.errors == [])
            #expect(
                try await shop.database.psql("SELECT wake, slot_seconds FROM unstale.installation")
                    == "poll|600\n")
            #expect(
                try await shop.database.psql(
                    "SELECT DISTINCT tgenabled::text FROM pg_trigger WHERE tgname LIKE 'unstale%' ORDER BY 1")
                    == "A\nO\nR\n")
        }
    }

    @Test func libpqVariables() async throws {
        try await Shop.with { shop in
            let server = try TestEnvironment.databaseURL
            let port = server.split(separator: ":").last?.prefix { $0 != "/" } ?? ""
            let environment = [
                "PGHOST": "127.0.0.1", "PGPORT": String(port), "PGUSER": "postgres",
                "PGDATABASE": shop.database.name,
                "UNSTALE_RULES": shop.rules,
            ]
            let outcome = try await unstale("install", environment: environment)
            #expect(outcome.code == 0)
            #expect(outcome.lines.contains("create the schema unstale"))
            // What the URL says comes before them.
            let other = try await unstale(
                "status", environment: environment.merging(["UNSTALE_DATABASE_URL": "dbname=nowhere"]) { $1 })
            #expect(other.code == 69)
            #expect(other.errors.count == 1 && other.errors.joined().contains("\"nowhere\" does not exist"))
        }
    }

    /// Wherever a password comes from, nobody gets to see it.
    @Test func passwords() async throws {
        try await Shop.with { shop in
            try await RedisServer.with(["--requirepass", "other"]) { redis in
                let environment = [
                    "UNSTALE_REDIS_URL": "redis://:s3cret@127.0.0.1:\(redis.port)",
                    "UNSTALE_RULES": shop.rules,
                    "UNSTALE_DATABASE_URL": shop.database.url.replacing(
                        "postgres@", with: "postgres:s3cret@"),
                    "UNSTALE_LOG_LEVEL": "trace", "PGPASSWORD": "s3cret",
                ]
                #expect(try await unstale("install", environment: environment).code == 0)
                let program = try Program(["run"], environment: environment)
                try await program.wait(for: "Serving")
                try await program.wait(for: "Redis is waited for")
                #expect(program.count("***") >= 1)
                program.signal(15)
                #expect(try await program.end() == 0)
                #expect(program.count("s3cret") == 0)
                #expect(!program.output.contains("s3cret"))
            }
        }
        for url in ["postgres://u:s3cret@127.0.0.1:1/d", "host=127.0.0.1 port=1 password=s3cret"] {
            let outcome = try await unstale("status", "--database-url", url, "--rules", "/dev/null")
            #expect(!outcome.errors.joined().contains("s3cret"))
        }
    }
}
