import Postgres
import Rules
import Synchronization
import TestSupport
import Testing

@testable import Capture

/// A database whose tables some rules capture, and a reader of what they recorded.
final class Captured: Sendable {
    let database: TestDatabase
    /// A superuser's connection, which also owns the capture.
    let owner: PostgresConnection
    let rules: RuleSet
    let settings: CaptureSettings
    private let reader: PostgresConnection
    private let state = Mutex((position: ReadPosition(.empty), manifests: [Int32: Manifest]()))

    /// Lends a database with these tables and the capture for these rules, given as items of YAML's `rules`.
    static func with<Result>(
        _ tables: String, rules: String, settings: CaptureSettings = .init(),
        isolation: isolated (any Actor)? = #isolation, _ body: (Captured) async throws -> Result
    ) async throws -> Result {
        try await TestDatabase.with { database in
            let captured = try await Captured(database, rules: rules, settings: settings)
            try await captured.owner.script(tables, doing: "making the tables")
            try await captured.install()
            return try await body(captured)
        }
    }

    init(_ database: TestDatabase, rules: String, settings: CaptureSettings = .init()) async throws {
        self.database = database
        self.settings = settings
        self.rules = try .items(rules)
        owner = try await database.connect()
        reader = try await database.connect()
    }

    /// Installs; gives the steps that it took.
    @discardableResult
    func install(
        _ rules: RuleSet? = nil, settings: CaptureSettings? = nil, workerRole: String? = nil
    ) async throws -> [String] {
        try await Installer(connection: owner).install(
            rules ?? self.rules, settings ?? self.settings, workerRole: workerRole)
    }

    /// What is wrong with the capture.
    func problems(_ rules: RuleSet? = nil) async throws -> [String] {
        try await CaptureState.read((rules ?? self.rules).rules, owner).problems.map(\.reason)
    }

    /// Runs SQL, and gives what was recorded since the last time, as in `update items 1, a -> 1, b`: sorted, for
    /// the rows of a statement have no order.
    func changes(of sql: String) async throws -> [String] {
        try await owner.script(sql, doing: "the test's SQL")
        return try await changes()
    }

    /// Runs SQL, and expects these changes, in any order.
    func expect(
        _ sql: String, _ expected: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let changes = try await changes(of: sql)
        #expect(changes == expected.sorted(), "\(sql)", sourceLocation: sourceLocation)
    }

    /// What was recorded since the last time.
    func changes() async throws -> [String] {
        let batch = try await read()
        let manifests = try await manifests(for: batch)
        return batch.changes.map { $0.line(manifests[$0.capture]) }.sorted()
    }

    /// Runs SQL, and gives for each change since the last time what happened and which rules it concerns, as in
    /// `update: by-name, by-status`.
    func firings(of sql: String) async throws -> [String] {
        try await owner.script(sql, doing: "the test's SQL")
        let batch = try await read()
        let manifests = try await manifests(for: batch)
        return batch.changes.map { change in
            let conditions = (manifests[change.capture]?.conditions ?? []).enumerated()
            let fired = conditions.filter { change.fired & 1 << $0.offset != 0 }.map(\.element)
            let names = rules.rules.filter { fired.contains($0.condition) }.map(\.name.value)
            return "\(change.kind): " + names.joined(separator: ", ")
        }.sorted()
    }

    /// Everything since the last time.
    func read() async throws -> Batch {
        let outbox = Outbox(connection: reader)
        var all: Batch?
        repeat {
            let position = state.withLock { $0.position }
            let batch = try await outbox.read(from: position)
            state.withLock { $0.position = batch.next }
            guard var sum = all else {
                all = batch
                continue
            }
            sum.changes += batch.changes
            sum.failures += batch.failures
            sum.records += batch.records
            sum.isFull = batch.isFull
            all = sum
        } while all?.isFull ?? true
        guard let all else { throw TestError("nothing was read") }
        return all
    }

    /// The words of the captures that failed and were not read yet.
    func failures() async throws -> [String] { try await read().failures.map(\.reason) }

    /// The words of all captures that failed, of the last statement that has some.
    func lastFailures() async throws -> [String] {
        try await owner.lines(
            "SELECT detail FROM unstale.outbox WHERE xid = (SELECT max(xid) FROM unstale.outbox WHERE op = 'a')"
        )
    }

    private func manifests(for batch: Batch) async throws -> [Int32: Manifest] {
        let known = state.withLock { $0.manifests }
        guard batch.changes.contains(where: { known[$0.capture] == nil }) else { return known }
        let manifests = try await CaptureState.manifests(owner)
        state.withLock { $0.manifests = manifests }
        return manifests
    }
}

extension Change {
    fileprivate func line(_ manifest: Manifest?) -> String {
        guard let manifest else { return "a change of capture \(capture), which is unknown" }
        func text(_ image: Image) -> String {
            manifest.columns.indices
                .map { image[$0].map { String(decoding: $0, as: UTF8.self) } ?? "null" }.joined(
                    separator: ", ")
        }
        let table = manifest.table.schema == "public" ? manifest.table.name : manifest.table.description
        let images = [old, new].compactMap { $0.map(text) }.joined(separator: " -> ")
        return kind == .anyRow ? "any \(table)" : "\(kind) \(table) \(images)"
    }
}

extension RuleSet {
    /// Rules from the items of YAML's `rules`.
    static func items(_ items: String) throws -> RuleSet {
        let indented = items.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)\n" }
            .joined()
        return try parse("version: 1\nrules:\n" + indented)
    }
}

extension TestDatabase {
    /// A connection as the superuser, or as a role without a password.
    func connect(as role: String = "postgres") async throws -> PostgresConnection {
        try await PostgresConnection.connect(
            PostgresSettings(connection: url.replacing("//postgres@", with: "//\(role)@")))
    }
}

extension PostgresConnection {
    /// The first value of a statement's first row.
    func value(_ sql: String, _ parameters: [Parameter] = []) async throws -> String? {
        try await query(sql, parameters, doing: "the test's SQL").first?.text(0)
    }

    /// The rows of a statement as lines with | between columns.
    func lines(_ sql: String) async throws -> [String] {
        let rows = try await query(sql, doing: "the test's SQL")
        return rows.map { row in (0..<row.count).map { row.text($0) ?? "" }.joined(separator: "|") }
    }

    func run(_ sql: String, deadline: Duration = .seconds(30)) async throws {
        try await script(sql, deadline: deadline, doing: "the test's SQL")
    }
}
