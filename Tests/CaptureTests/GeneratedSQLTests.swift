import Rules
import Testing

@testable import Capture

/// What the triggers of a simple table are, to be read. Where a change of it is meant, it is copied here.
@Suite struct GeneratedSQLTests {
    private static let rules = """
        - {name: name, table: items, columns: [name], delete: {keys: ['i:{id}']}}
        - {name: price, table: items, columns: [price], where: new.price > 9, delete: {keys: ['p:{id}']}}
        - {name: births, table: items, on: [insert], delete: {keys: ['b:{name}']}}
        """

    private func design(_ settings: CaptureSettings = .init()) throws -> CaptureDesign {
        CaptureDesign(shape: .example("items", oid: 100), rules: try RuleSet.items(Self.rules).rules, settings: settings)
    }

    private func function(_ name: String, wake: Wake = .notify) throws -> String {
        let functions = try design(CaptureSettings(wake: wake)).functions(capture: 7)
        return try #require(functions.first { $0.name == "capture_100_\(name)" }).definition
    }

    @Test func update() throws {
        #expect(
            try function("update") == #"""
                """#)
    }

    @Test func insert() throws {
        #expect(
            try function("insert", wake: .poll) == #"""
                """#)
    }

    @Test func truncate() throws {
        #expect(
            try function("truncate") == #"""
                """#)
    }

    /// Without a primary key.
    @Test func unpaired() throws {
        var shape = TableShape.example("items", oid: 100)
        shape.primaryKey = []
        let design = CaptureDesign(shape: shape, rules: try RuleSet.items(Self.rules).rules, settings: .init())
        let source = try #require(design.functions(capture: 7).first { $0.name.hasSuffix("update") }).source
        #expect(source.contains("UNION ALL") && !source.contains("JOIN new_rows AS new ON"))
    }
}
