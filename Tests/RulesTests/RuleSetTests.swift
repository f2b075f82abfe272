import Testing

@testable import Rules

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Files and folders.
@Suite final class RuleSetTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/unstale-rules-\(UUID().uuidString)"

    init() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    @Test func aFolderInTheOrderOfNames() throws {
        write("b.yaml", rule("b"))
        write("a.yml", rule("a"))
        write("readme.txt", "no rules")
        write(".c.yaml", "an editor's backup")
        let rules = try RuleSet.load([folder])
        #expect(rules.rules.map(\.name.value) == ["a", "b"])
        #expect(rules.rules[1].location.description == "\(folder)/b.yaml:3:5")
        #expect(try RuleSet.load([folder + "/"]).rules[1].location.description == "\(folder)/b.yaml:3:5")
        #expect(
            try RuleSet.load([folder + "/b.yaml", folder + "/a.yml"]).rules.map(\.name.value) == ["b", "a"])
        #expect(rules.tables == [TableName(name: "t")])
    }

    @Test func mistakesOfAllFilesAtOnce() throws {
        write("a.yaml", rule("a") + "x: 1\n")
        write("b.yaml", rule("a"))
        write("c.yaml", "")
        let paths = [folder, folder + "/none.yaml", folder + "/sub"]
        try FileManager.default.createDirectory(atPath: paths[2], withIntermediateDirectories: true)
        let error = #expect(throws: RulesError.self) { try RuleSet.load(paths) }
        #expect(
            error?.description == """
                \(folder)/a.yaml:4:1: error: unknown key 'x' in a rules file
                \(folder)/c.yaml:1:1: error: the file is empty
                \(folder)/none.yaml:1:1: error: can't be read: No such file or directory
                \(folder)/sub:1:1: error: the folder has no .yaml or .yml file
                \(folder)/b.yaml:3:12: error: a rule 'a' is already at \(folder)/a.yaml:3:12
                """)
    }

    @Test func whatIsNoFile() throws {
        #expect(throws: RulesError.self) { try RuleSet.load(["/dev/zero"]) }
        try FileManager.default.createDirectory(atPath: folder + "/d.yaml", withIntermediateDirectories: true)
        let error = #expect(throws: RulesError.self) { try RuleSet.load([folder]) }
        #expect(error?.description == "\(folder)/d.yaml:1:1: error: can't be read: Is a directory")
    }

    @Test func suggestions() {
        let words = ["insert", "update", "delete", "repeat_after"]
        #expect(words.nearest(to: "updaet") == "update")
        #expect(words.nearest(to: "UPDATE") == "update")
        #expect(words.nearest(to: "repeatafter") == "repeat_after")
        #expect(words.nearest(to: "truncate") == nil)
        #expect(words.nearest(to: "") == nil)
        #expect(words.nearest(to: String(repeating: "x", count: 100_000)) == nil)
    }

    @Test(arguments: [
        ("250ms", 250), ("5s", 5000), ("5m", 300_000), ("1h", 3_600_000), ("1d", 86_400_000), ("007s", 7000),
        ("36500d", 3_153_600_000_000), ("36526d", nil), ("5", nil), ("s", nil), ("-1s", nil), ("1.5s", nil),
        ("1s ", nil), ("0s", nil), ("99999999999999999999s", nil), ("9223372036854775807d", nil), ("١s", nil),
    ])
    func durations(text: String, milliseconds: Int?) {
        #expect(Duration(ruleText: text) == milliseconds.map { .milliseconds($0) })
    }

    @Test(arguments: [
        ("1B", 1), ("512KiB", 524_288), ("1MB", 1_000_000), ("2GiB", 2_147_483_648), ("1", nil), ("KB", nil),
        ("0B", nil), ("1kb", nil), ("9999999999GB", nil),
    ])
    func sizes(text: String, bytes: Int?) {
        #expect(parseSize(text) == bytes)
    }

    @Test(arguments: [
        ("0%", 0), ("10%", 10), ("100%", 100), ("101%", nil), ("10", nil), ("1.5%", nil), ("%", nil),
    ])
    func percentages(text: String, percent: Int?) {
        #expect(parsePercent(text) == percent)
    }

    private func rule(_ name: String) -> String {
        "version: 1\nrules:\n  - {name: \(name), table: t, delete: {keys: ['k:{id}']}}\n"
    }

    private func write(_ name: String, _ text: String) {
        #expect(FileManager.default.createFile(atPath: "\(folder)/\(name)", contents: Data(text.utf8)))
    }
}
