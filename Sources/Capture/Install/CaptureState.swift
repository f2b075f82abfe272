public import Postgres
public import Rules

/// What the worker needs to know of the installed capture, and what is wrong with it.
public struct CaptureState: Sendable {
    /// The manifests of all captures that records may name.
    public let manifests: [Int32: Manifest]
    /// How the installed triggers wake the worker.
    public let wake: Wake
    /// The statements of the rules' lookups, by rule.
    public let lookups: [String: LookupStatement]
    /// The statements of the rules' loaders, by rule and by their number in it.
    public let loaders: [String: [Int: LoaderStatement]]
    /// For each table a text that changes whenever one of its triggers is made, dropped, disabled or enabled.
    public let triggerVersions: [String: String]
    /// Why not every change is captured as the rules need it; empty: all is well.
    public let problems: [Problem]
    /// How long records are kept once every target has passed them.
    public internal(set) var replayWindow = CaptureSettings().replayWindow
    /// The tables without triggers of ours, whose changes somebody else's tell of.
    public internal(set) var listened: [TableName] = []

    /// One thing that is wrong with the capture.
    public struct Problem: Sendable, Hashable {
        /// The table it is about.
        public var table: TableName
        /// What is wrong and what to do, on one line.
        public var reason: String
        /// Whether changes of the table may be missing from the outbox: once it is mended, every row counts as
        /// changed.
        public var losesChanges: Bool
        /// The command that mends it, without anything else to be done before; nil: there is none.
        public var command: String?
    }

    /// Reads it. Throws where there is no capture at all.
    ///
    /// - Parameter listening: What is listened to; nil: that is not known.
    public static func read(
        _ rules: [Rule], listening: Listening? = nil, _ connection: PostgresConnection
    ) async throws -> CaptureState {
        let state = try await InstalledState.read(connection)
        let wake = try state.currentWake
        var problems: [Problem] = []
        var lookups: [String: LookupStatement] = [:]
        var loaders: [String: [Int: LoaderStatement]] = [:]
        var versions: [String: String] = [:]
        let catalog = Catalog(connection: connection)
        let tables = Set(rules.map(\.table.value)).sorted { $0.description < $1.description }
        for table in tables {
            let needed = rules.filter { $0.table.value == table }
            guard let shape = try await catalog.shape(of: table) else {
                problems.append(
                    Problem(
                        table: table, reason: "table \(table) does not exist: restore it or change its rules",
                        losesChanges: true))
                continue
            }
            problems += Self.problems(state, shape, needed, listening)
            for rule in needed {
                let lookup = LookupStatement(rule: rule, types: shape.types)
                lookups[rule.name.value] = lookup
                // A lookup that the server refuses by now fails when it is run, and its loaders with it.
                loaders[rule.name.value] = try? await catalog.loaders(of: rule, on: shape, lookup: lookup)
            }
            let relations = [table] + shape.descendants
            let triggers = state.triggers.filter { relations.contains($0.table) }.map(\.version)
            versions[table.description] = state.isListened(table) ? "listen" : triggers.joined(separator: ",")
        }
        let manifests = state.captures.map { ($0.id, $0.manifest) }
        return CaptureState(
            manifests: Dictionary(manifests) { $1 }, wake: wake, lookups: lookups,
            loaders: loaders, triggerVersions: versions, problems: problems,
            replayWindow: state.replayWindow,
            listened: tables.filter(state.isListened))
    }

    /// Just the manifests: records of a capture that was installed meanwhile have come.
    public static func manifests(_ connection: PostgresConnection) async throws(PostgresError) -> [Int32:
        Manifest]
    {
        let captures = try await InstalledState.captures(connection)
        return Dictionary(captures.map { ($0.id, $0.manifest) }) { $1 }
    }

    private static func problems(
        _ state: InstalledState, _ shape: TableShape, _ rules: [Rule], _ listening: Listening?
    ) -> [Problem] {
        let table = shape.name
        guard let capture = state.capture(of: table) else {
            return [
                Problem(
                    table: table, reason: "table \(table) is not captured: run '\(state.installCommand)'",
                    losesChanges: true, command: state.installCommand)
            ]
        }
        var problems: [Problem] = []
        let design = CaptureDesign(shape: shape, rules: rules, settings: CaptureSettings())
        let missing = design.manifest.columns.filter { shape.column($0) == nil }
        let gone = capture.manifest.columns.filter { shape.column($0) == nil }
        let watched = capture.manifest.conditions.flatMap(\.columns).filter { shape.column($0) == nil }
        if let column = (missing + gone + watched).first {
            problems.append(
                Problem(
                    table: table,
                    reason:
                        "column '\(column)' of \(table) is gone: its keys go by pattern until the rules are "
                        + "changed and '\(state.installCommand)' has run", losesChanges: false))
        }
        let uncaptured = rules.filter { rule in
            !capture.manifest.conditions.contains(rule.condition)
                || !Set(rule.imageColumns).isSubset(of: capture.manifest.columns)
        }
        if !uncaptured.isEmpty {
            let names = uncaptured.map { "'\($0.name.value)'" }.joined(separator: ", ")
            problems.append(
                Problem(
                    table: table,
                    reason: "the capture of \(table) does not know \(names): run '\(state.installCommand)'",
                    losesChanges: true, command: state.installCommand))
        }
        let always = state.recordsReplication(of: Set([table] + shape.descendants))
        let installed = CaptureDesign(
            shape: shape, manifest: capture.manifest, settings: CaptureSettings(always: always))
        if !installed.isRead(by: state) {
            problems.append(
                Problem(
                    table: table,
                    reason: "the triggers of \(table) are not those that its columns need by now: "
                        + "run '\(state.installCommand)'",
                    losesChanges: true, command: state.installCommand))
        }
        problems += listening?.problems(table, capture, install: state.installCommand) ?? []
        return problems + triggerProblems(state, installed, capture)
    }

    private static func triggerProblems(
        _ state: InstalledState, _ design: CaptureDesign, _ capture: InstalledCapture
    ) -> [Problem] {
        // Somebody else's triggers tell of the changes.
        guard capture.manifest.source == nil else { return [] }
        let shape = design.shape
        let table = shape.name
        // Install refuses them, but tables may be attached to others later on.
        var problems = shape.obstacles(to: capture.manifest).map { reason in
            Problem(table: table, reason: reason, losesChanges: true)
        }
        for relation in [table] + shape.descendants {
            for event in design.events(on: relation) {
                let trigger = state.triggers.first { $0.table == relation && $0.name == event.triggerName }
                let what: String? =
                    switch trigger?.mode {
                    case nil: "is missing"
                    case let mode? where mode.covers(design.mode(event)):
                        isAnothers(trigger, state, capture) ? "calls a function of another capture" : nil
                    case .origin?: "does not fire for what logical replication writes"
                    default: "is disabled"
                    }
                guard let what else { continue }
                problems.append(
                    Problem(
                        table: table,
                        reason: "trigger \(event.triggerName) on \(relation) \(what): run '\(state.installCommand)'",
                        losesChanges: true, command: state.installCommand))
            }
        }
        return problems
    }

    /// Whether a trigger's function records for another capture, by that one's rules: tables may have swapped names, or a
    /// partition has gone from one to the other.
    private static func isAnothers(
        _ trigger: InstalledState.Trigger?, _ state: InstalledState, _ capture: InstalledCapture
    ) -> Bool {
        guard let trigger, let function = state.functions[trigger.function] else { return false }
        guard let number = function.capture else { return true }
        // The captures were read before: what is newer than all of them was installed meanwhile.
        let newest = state.captures.map(\.id).max() ?? 0
        return number != capture.id && number <= newest
    }
}
