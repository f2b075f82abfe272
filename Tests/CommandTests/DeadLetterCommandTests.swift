import TestSupport
import Testing

/// `dead-letters`, on letters that were put there by hand.
@Suite struct DeadLetterCommandTests {
    @Test func listAndShow() async throws {
        try await withLetters { (shop) async throws in
            let list = try await shop.succeed("dead-letters", "list").split(separator: "\n")
            #expect(list.count == 3)
            #expect(list[0] == "1\tuser\tdead\t5 attempts\tWRONGTYPE")
            #expect(list[1].hasPrefix("2\tuser\ttried again at 2"))
            #expect(list[2].hasSuffix("\\u{1B}[2J\\n"), "control characters are told, not sent: \(list[2])")
            let letter = try await shop.succeed("dead-letters", "show", "1")
            #expect(letter.contains("id: 1\ntarget: default\nrule: user\n"))
            #expect(letter.contains("\"user:1\""))
            #expect(letter.contains("attempts: 5\n") && letter.contains("next attempt: none, it is dead\n"))
            let missing = try await shop.unstale("dead-letters", "show", "9")
            #expect(missing.code == 1)
            #expect(missing.errors == ["unstale: there is no dead letter 9"])
        }
    }

    @Test func redriveAndDiscard() async throws {
        try await withLetters { (shop) async throws in
            #expect(try await shop.succeed("dead-letters", "redrive", "--all") == "redriven: 2\n")
            #expect(try await shop.succeed("dead-letters", "redrive", "--all") == "redriven: 0\n")
            #expect(
                try await shop.database.psql(
                    "SELECT count(*) FROM unstale.dead_letters WHERE dead_at IS NOT NULL") == "0\n")
            #expect(try await shop.succeed("dead-letters", "redrive", "1", "2", "1") == "redriven: 2\n")
            #expect(try await shop.succeed("dead-letters", "discard", "--all") == "discarded: 0\n")
            #expect(try await shop.succeed("dead-letters", "discard", "1", "3") == "discarded: 2\n")
            #expect(try await shop.succeed("dead-letters", "list").hasPrefix("2\t"))
            #expect(try await shop.succeed("dead-letters", "discard", "2") == "discarded: 1\n")
            #expect(try await shop.succeed("dead-letters", "list") == "no dead letters\n")
        }
    }

    /// Those that are there are handled all the same.
    @Test func numbersThatAreNotThere() async throws {
        try await withLetters { (shop) async throws in
            let none = try await shop.unstale("dead-letters", "redrive", "999")
            #expect(none.code == 1 && none.output == "redriven: 0\n")
            #expect(none.errors == ["unstale: there is no dead letter 999"])
            let some = try await shop.unstale("dead-letters", "redrive", "9", "1", "2", "9")
            #expect(some.code == 1 && some.output == "redriven: 2\n")
            #expect(some.errors == ["unstale: there is no dead letter 9"])
            let rest = try await shop.unstale("dead-letters", "discard", "9", "3", "8", "1")
            #expect(rest.code == 1 && rest.output == "discarded: 2\n")
            #expect(rest.errors == ["unstale: there are no dead letters 8, 9"])
            #expect(try await shop.succeed("dead-letters", "list").hasPrefix("2\t"))
        }
    }

    @Test func noCapture() async throws {
        try await Shop.with { shop in
            let outcome = try await shop.unstale("dead-letters", "list")
            #expect(outcome.code == 78)
            #expect(outcome.errors.count == 1)
            #expect(outcome.errors.joined().contains("run 'unstale install'"), "\(outcome.errors)")
        }
    }

    private func withLetters(_ body: (Shop) async throws -> Void) async throws {
        try await Shop.with { shop in
            try await shop.succeed("install")
            try await shop.database.psql(
                """
                INSERT INTO unstale.dead_letters (target, rule, action, error, attempts, next_attempt_at, dead_at)
                SELECT 'default', 'user', format('{"delete":{"key":"user:%s"}}', n)::jsonb, error, attempts, now() + '1 hour', dead_at
                FROM (VALUES (1, 'WRONGTYPE', 5, now()), (2, 'ERR', 2, NULL), (3, E'ERR \\033[2J\\n', 5, now())) AS l(n, error, attempts, dead_at)
                """)
            try await body(shop)
        }
    }
}
