import TestSupport
import Testing

/// The list of targets in a settings file, and what is wrong with it.
@Suite struct TargetSettingsTests {
    @Test(arguments: [
        ("targets: []", ["1:10: 'targets' must be a list of targets, one at least"]),
        ("targets: {name: a}", ["1:10: 'targets' must be a list of targets, one at least"]),
        ("targets: [a]", ["1:11: a target must be a mapping"]),
        ("targets: [{}]", ["1:11: a target needs 'name'", "1:11: a target needs 'url'"]),
        (
            "targets:\n  - {nmae: a, url: \"redis://h\"}",
            ["2:6: unknown setting 'nmae' in a target; did you mean 'name'?", "2:5: a target needs 'name'"]
        ),
        (
            "targets:\n  - {name: a b, url: \"redis://h\"}\n  - {name: \"\", url: \"redis://h\"}",
            [
                "2:12: 'name' must be letters, digits and dashes, at most 63",
                "3:12: 'name' must be letters, digits and dashes, at most 63",
            ]
        ),
        (
            "targets:\n  - {name: a, url: \"redis://h\"}\n  - {name: a, url: \"redis://i\"}",
            ["3:12: there is another target 'a' before"]
        ),
        (
            "targets: [{name: a, url: \"http://:s3cret@h\"}]",
            ["1:26: 'url': the Redis URL has the unknown scheme http://"]
        ),
        ("targets: [{name: a, url: [h]}]", ["1:26: 'url' must be text"]),
        (
            "targets: [{name: a, url: \"redis://h\", fence: yes, attempts: 0, wait_replicas: -1}]",
            [
                "1:46: 'fence' must be true or false", "1:61: 'attempts' must be a number from 1 up",
                "1:79: 'wait_replicas' must be a number from 0 up",
            ]
        ),
        (
            "targets: [{name: a, url: \"redis://h\", sweep_share: 0%, resync: any_row}]",
            [
                "1:52: 'sweep_share' must be a percentage from 1% to 100%",
                "1:64: 'resync' must be one of any-row, manual; did you mean 'any-row'?",
            ]
        ),
        (
            "targets: [{name: a, url: \"redis://h\", index: {prefixes: [\"a:\", \"b\", \"a:b\"], memory: 5}}]",
            [
                "1:69: the prefixes 'a:' and 'a:b' are about the same keys",
                "1:85: 'memory' must be a size such as 256MiB",
            ]
        ),
        (
            "targets: [{name: a, url: \"redis://h\", index: {prefix: [a]}}]",
            [
                "1:47: unknown setting 'prefix' in 'index'; did you mean 'prefixes'?", "1:46: 'index' needs 'prefixes'",
            ]
        ),
    ]) func mistakes(text: String, expected: [String]) async throws {
        try await withRules { folder, rules in
            let config = folder + "/unstale.yaml"
            try write(text, to: config)
            let outcome = try await unstale("run", "--config", config, environment: rules)
            #expect(outcome.code == 78 && outcome.output == "")
            #expect(outcome.errors.count == expected.count, "\(outcome.errors)")
            for (error, message) in zip(outcome.errors, expected) {
                #expect(error.hasPrefix("unstale: \(config):\(message)"), "\(error)")
            }
            #expect(!outcome.errors.joined().contains("s3cret"))
        }
    }

    /// Whichever way the single Redis was named.
    @Test func bothWays() async throws {
        try await withRules { folder, rules in
            let config = folder + "/unstale.yaml"
            try write("targets: [{name: a, url: \"redis://h\"}]", to: config)
            let message =
                "unstale: redis.url: the file \(config) has 'targets', which say where each Redis is"
            let environment = rules.merging(["UNSTALE_REDIS_URL": "redis://i"]) { $1 }
            #expect(try await unstale("run", "--config", config, environment: environment).errors == [message])
            let flag = try await unstale("run", "--config", config, "--redis-url", "redis://i", environment: rules)
            #expect(flag.code == 78 && flag.errors == [message])
        }
    }

    @Test(arguments: [("1", 78), ("1TB", 78), ("1GiB", 69)]) func outboxLimit(value: String, code: Int32) async throws {
        try await withRules { _, rules in
            let nowhere = "postgres://127.0.0.1:1/x"
            let environment = rules.merging(["UNSTALE_OUTBOX_LIMIT": value, "UNSTALE_DATABASE_URL": nowhere]) { $1 }
            let outcome = try await unstale("run", "--install", environment: environment)
            #expect(outcome.code == code)
            let isRefused = outcome.errors.contains {
                $0 == "unstale: outbox.limit: '\(value)' is no size such as 512MiB or 1GiB"
            }
            #expect(isRefused == (code == 78))
        }
    }

    /// A command that is about one target says which, where it was not told.
    @Test func whichTarget() async throws {
        try await withRules { folder, rules in
            let config = folder + "/unstale.yaml"
            try write(
                "database.url: postgres://127.0.0.1:1/x\ntargets:\n  - {name: a, url: \"redis://h\"}\n  - {name: bee, url: \"redis://i\"}",
                to: config)
            let silent = try await unstale("coverage", "--config", config, "--target", "bee", environment: rules)
            #expect(silent.errors.count == 1 && silent.errors[0].contains("connecting to Postgres"), "\(silent.errors)")
            let first = try await unstale("coverage", "--config", config, environment: rules)
            #expect(first.errors.first == "unstale: this is about the target 'a'; --target chooses another")
            let wrong = try await unstale(
                "explain", "--sql", "x", "--config", config, "--target", "be", environment: rules)
            #expect(wrong.code == 78 && wrong.errors == ["unstale: there is no target 'be'; did you mean 'bee'?"])
        }
    }
}
