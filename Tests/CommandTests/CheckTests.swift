import FoundationEssentials
import TestSupport
import Testing

/// `check` and `test`.
@Suite struct CheckTests {
    @Test func withoutDatabase() async throws {
        try await withRules { folder, environment in
            let outcome = try await unstale("check", environment: environment)
            #expect(outcome.code == 0)
            #expect(
                outcome.output == "2 rules are well-formed; no database was given to check them against\n")
            #expect(outcome.errors == [])
        }
    }

    @Test func withDatabase() async throws {
        try await Shop.with { shop in
            try await shop.succeed("install")
            #expect(
                try await shop.succeed("check") == "2 rules fit the database, and the capture is up to date\n"
            )
            try await shop.database.psql(
                "DROP TRIGGER unstale_insert ON users; ALTER TABLE lines DISABLE TRIGGER unstale_delete")
            let outcome = try await shop.unstale("check")
            #expect(outcome.code == 1)
            #expect(
                Set(outcome.errors) == [
                    "unstale: degraded: trigger unstale_insert on public.users is missing: run 'unstale install'",
                    "unstale: degraded: trigger unstale_delete on public.lines is disabled: run 'unstale install'",
                ])
        }
    }

    /// The examples that come with the program.
    @Test func testsOfTheExamples() async throws {
        let outcome = try await unstale("test", "--rules", examples)
        #expect(outcome.code == 0)
        #expect(outcome.output.wholeMatch(of: /[1-9]\d+ passed, 0 failed\n/) != nil)
        #expect(outcome.errors == [])
    }

    @Test func failingTest() async throws {
        try await withRules(Shop.rules.replacing("keys: [\"user:1\", ", with: "keys: [\"user:2\", ")) {
            folder, environment in
            let outcome = try await unstale("test", environment: environment)
            #expect(outcome.code == 65)
            #expect(outcome.output == "0 passed, 1 failed\n")
            #expect(
                outcome.errors.map { $0.replacing(folder, with: "") } == [
                    "/rules.yaml:15:11: failed: a new name", "    missing: key user:2",
                    "    unexpected: key user:1",
                ])
        }
    }

    /// The folder `rules` of the project.
    private var examples: String {
        #filePath.split(separator: "/").dropLast(3).reduce(into: "") { $0 += "/" + $1 } + "/rules"
    }
}
