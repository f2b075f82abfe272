import TestSupport
import Testing

/// `replay` refuses what concerns no rule: it would be written, and nothing come of it.
@Suite struct ReplayCommandTests {
    private static let rules = """
        version: 1
        rules:
          - {name: user, table: users, targets: [eu], delete: {keys: ["user:{id}"]}}
          - {name: order, table: orders, delete: {keys: ["order:{id}"]}}
        """

    private static let targets = """
        targets:
          - {name: eu, url: "redis://127.0.0.1:1"}
          - {name: us, url: "redis://127.0.0.1:2"}

        """

    @Test func concernsNoRule() async throws {
        try await Shop.with { shop in
            try write(Self.rules, to: shop.rules)
            let config = shop.folder + "/unstale.yaml"
            try write(Self.targets, to: config)
            try await shop.succeed("install", "--config", config)
            for (arguments, line) in [
                (
                    ["--table", "orders", "--rule", "user"],
                    "the rule 'user' is about public.users, not about public.orders"
                ),
                (
                    ["--since", "10m", "--table", "public.users", "--rule", "order"],
                    "the rule 'order' is about public.orders, not about public.users"
                ),
                (
                    ["--table", "users", "--rule", "user", "--target", "us"],
                    "the rule 'user' is for 'eu', not for 'us'"
                ),
                (["--since", "10m", "--rule", "user", "--target", "us"], "the rule 'user' is for 'eu', not for 'us'"),
                (["--table", "users", "--target", "us"], "no rule for the target 'us' is about public.users"),
            ] {
                let program = try Program(["replay", "--config", config] + arguments, environment: shop.environment)
                #expect(try await program.end() == 78)
                #expect(program.output == "")
                #expect(program.lines == ["unstale: " + line])
            }
            #expect(try await shop.database.psql("SELECT count(*) FROM unstale.outbox") == "0\n")
            for arguments in [
                ["--table", "users", "--rule", "user", "--target", "eu"], ["--table", "orders", "--target", "us"],
            ] {
                let program = try Program(["replay", "--config", config] + arguments, environment: shop.environment)
                #expect(try await program.end() == 0)
                #expect(program.output == "replayed: 1 record\n")
            }
        }
    }
}
