import Testing

@testable import Rules

/// The rules that the repository ships.
@Suite struct ExampleRulesTests {
    static let folder = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/rules"
    static let files = ["http-responses", "shop", "soft-delete", "tenants"].map { "\(folder)/\($0).yaml" }

    @Test(arguments: files + [folder])
    func areValidAndPassTheirTests(path: String) throws {
        let rules = try RuleSet.load([path])
        let outcomes = rules.runTests()
        #expect(!outcomes.isEmpty)
        for outcome in outcomes {
            #expect(outcome.passed, "\(outcome.location): \(outcome.missing) \(outcome.unexpected)")
        }
    }
}
