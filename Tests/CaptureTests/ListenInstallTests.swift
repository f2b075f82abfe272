import Postgres
import Rules
import Testing

@testable import Capture

/// Captures without triggers: how they come, go, and are looked at.
@Suite struct ListenInstallTests {
    private static let tables = "CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE orders (id int PRIMARY KEY)"
    private static let rules = """
        - {name: i, table: items, delete: {keys: ['i:{id}']}}
        - {name: o, table: orders, delete: {keys: ['o:{id}']}}
        """
    private static let listen = [ListenChannel(name: "c", tables: [TableName(name: "items")])]

    private func problems(_ captured: Captured, _ listening: Listening?) async throws -> [String] {
        try await CaptureState.read(captured.rules.rules, listening: listening, captured.owner).problems.map(\.reason)
    }

    @Test func noTriggers() async throws {
        let settings = CaptureSettings(listen: Self.listen)
        try await Captured.with(Self.tables, rules: Self.rules, settings: settings) { captured in
            let triggers = "SELECT DISTINCT tgrelid::regclass FROM pg_trigger"
            #expect(try await captured.owner.lines(triggers) == ["orders"])
            #expect(try await captured.install() == [])
            for listening in [nil, Listening(Self.listen)] { #expect(try await problems(captured, listening) == []) }
            let state = try await CaptureState.read(captured.rules.rules, captured.owner)
            #expect(state.listened == [TableName(name: "items")])
            #expect(state.triggerVersions["public.items"] == "listen")
        }
    }

    /// Somebody else's triggers may well be on a partition: those for each row fire by way of its parent too.
    @Test func aPartition() async throws {
        let tables = """
            CREATE TABLE items (id int) PARTITION BY LIST (id);
            CREATE TABLE items_1 PARTITION OF items FOR VALUES IN (1);
            """
        let channels = [ListenChannel(name: "c")]
        let rules = "- {name: i, table: items_1, delete: {keys: ['i:{id}']}}"
        try await Captured.with(tables, rules: rules, settings: CaptureSettings(listen: channels)) {
            (captured) async throws in
            #expect(try await problems(captured, Listening(channels)) == [])
        }
    }

    @Test func fromTriggersToNotificationsAndBack() async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { captured in
            let there = CaptureSettings(listen: Self.listen)
            #expect(
                try await problems(captured, Listening(Self.listen)) == [
                    "changes of public.items are listened to and captured by triggers: run 'unstale install' to do without "
                        + "the triggers, or take the table out of 'listen'"
                ])
            let steps = try await captured.install(settings: there)
            #expect(steps.contains("drop trigger unstale_update on public.items"))
            #expect(
                steps.contains("record capture 3 of public.items") && steps.contains("retire capture 1 of public.items")
            )
            #expect(!steps.contains { $0.contains("orders") })
            #expect(try await problems(captured, Listening(Self.listen)) == [])
            #expect(
                try await problems(captured, Listening([])) == [
                    "changes of public.items are captured by nothing, for no 'listen' names it any more: run 'unstale install'"
                ])
            // What changed in between counts.
            let back = try await captured.install(settings: CaptureSettings())
            #expect(back.contains("count every row of public.items as changed, for it was not fully captured"))
            #expect(try await problems(captured, Listening([])) == [])
        }
    }

    @Test func aFaultIsTold() async throws {
        let settings = CaptureSettings(listen: Self.listen)
        try await Captured.with(Self.tables, rules: Self.rules, settings: settings) { captured in
            #expect(
                try await problems(captured, Listening(Self.listen, fault: "listening: no answer in time")) == [
                    "changes of public.items are not heard: listening: no answer in time"
                ])
            // Rules that the capture doesn't know are told as ever.
            let newer = try RuleSet.items("- {name: n, table: items, columns: [id], delete: {keys: ['i:{id}']}}")
            #expect(
                try await captured.problems(newer) == [
                    "the capture of public.items does not know 'n': run 'unstale install'"
                ])
        }
    }

    /// Manifests of before there was such a thing are read as ever.
    @Test func manifestsAsTheyWere() throws {
        let manifest = Manifest(table: TableName(name: "a"), columns: ["id"], conditions: [])
        let text = ManifestCoding.encode(manifest)
        #expect(!text.contains("source"))
        #expect(ManifestCoding.decode(text) == manifest)
        var listened = manifest
        listened.source = .notifications
        #expect(ManifestCoding.decode(ManifestCoding.encode(listened)) == listened)
    }
}
