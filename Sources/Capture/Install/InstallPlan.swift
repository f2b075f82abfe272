import Postgres
import Rules

/// The steps from what is installed to what the rules need. Pure: the same state and design give the same steps.
struct InstallPlan: Sendable {
    /// One change of the database.
    struct Step: Sendable, Equatable {
        /// For people: `create trigger unstale_update on public.users`.
        var summary: String
        var sql: String
    }

    private(set) var steps: [Step] = []

    init(state: InstalledState, designs: [CaptureDesign], settings: CaptureSettings) {
        if state.version == nil {
            add("create the schema unstale", Schema.creation(settings))
        } else {
            migrate(state)
            reconfigure(state, settings)
        }
        var nextID = (state.captures.map(\.id).max() ?? 0) + 1
        var wantedFunctions: Set<String> = []
        var wantedTriggers: Set<String> = []
        var obsolete = state.captures.filter { !$0.isRetired }
        for design in designs {
            let table = design.shape.name
            let current = obsolete.first { $0.manifest.table == table }
            let relations = [table] + design.shape.descendants
            // A partition may have had a capture of its own, from before it was attached.
            let wasCaptured = current != nil || state.triggers.contains { relations.contains($0.table) }
            let installed = CaptureDesign(
                shape: design.shape, manifest: current?.manifest ?? design.manifest, settings: settings)
            let id: Int32
            if let current, current.manifest == design.manifest {
                id = current.id
                obsolete.removeAll { $0.id == id }
            } else {
                id = nextID
                nextID += 1
                let manifest = SQL.literal(ManifestCoding.encode(design.manifest))
                add(
                    "record capture \(id) of \(table)",
                    "INSERT INTO unstale.captures (id, relation, manifest) VALUES (\(id), \(design.shape.oid), \(manifest));"
                )
            }
            for function in design.functions(capture: id) {
                wantedFunctions.insert(function.name)
                guard state.functions[function.name] != function else { continue }
                let verb = state.functions[function.name] == nil ? "create" : "replace"
                add("\(verb) function unstale.\(function.name) for \(table)", function.definition)
            }
            let gap = addTriggers(design, state, current: current?.id, wanted: &wantedTriggers)
            // Until those have committed who still write by what was there.
            let lock = "LOCK TABLE \(design.shape.sqlName) IN SHARE ROW EXCLUSIVE MODE;"
            if wasCaptured && (gap || !installed.isRead(by: state)) {
                add(
                    "count every row of \(table) as changed, for it was not fully captured",
                    lock + "\nINSERT INTO unstale.outbox (capture, op, rules, detail) VALUES (\(id), 'a', -1, NULL);"
                        + (settings.wake == .notify ? "\nSELECT pg_notify('unstale', '');" : ""))
            } else if let current, current.id != id, !design.events.isEmpty {
                // What they leave out may be what the new rules ask for, and nobody would ever tell.
                add("wait for the writers of \(table) who began by the old functions", lock)
            }
        }
        for trigger in state.triggers where !wantedTriggers.contains(Self.name(trigger.table, trigger.name)) {
            add("drop trigger \(trigger.name) on \(trigger.table)", Self.drop(trigger))
        }
        for name in state.functions.keys.sorted() where !wantedFunctions.contains(name) {
            add("drop function unstale.\(name)", "DROP FUNCTION unstale.\(SQL.identifier(name))();")
        }
        for capture in obsolete {
            add(
                "retire capture \(capture.id) of \(capture.manifest.table)",
                "UPDATE unstale.captures SET retired_at = now() WHERE id = \(capture.id);")
        }
    }

    /// Takes everything away that install made.
    static func removal(_ state: InstalledState, grants: [(role: String, object: String)]) -> [Step] {
        var steps = state.triggers.map { trigger in
            Step(summary: "drop trigger \(trigger.name) on \(trigger.table)", sql: drop(trigger))
        }
        for grant in grants {
            steps.append(
                Step(
                    summary: "revoke the right on \(grant.object) from \(grant.role)",
                    sql: Rights.revocation(object: grant.object, role: grant.role)))
        }
        if state.version != nil {
            steps.append(Step(summary: "drop the schema unstale", sql: "DROP SCHEMA unstale CASCADE;"))
        }
        return steps
    }

    private static func drop(_ trigger: InstalledState.Trigger) -> String {
        "DROP TRIGGER \(SQL.identifier(trigger.name)) ON \(SQL.identifier(trigger.table.schema, trigger.table.name));"
    }

    private static func name(_ table: TableName, _ trigger: String) -> String { "\(trigger) \(table)" }

    private mutating func migrate(_ state: InstalledState) {
        for version in (state.version ?? Schema.version)..<Schema.version {
            add("bring the schema unstale from version \(version) to \(version + 1)", Schema.migrations[version] ?? "")
        }
    }

    private mutating func reconfigure(_ state: InstalledState, _ settings: CaptureSettings) {
        if state.wake != settings.wake {
            add(
                "set wake to \(settings.wake.rawValue)",
                "UPDATE unstale.installation SET wake = '\(settings.wake.rawValue)';")
        }
        if state.slotSeconds != settings.slotSeconds {
            add(
                "set the time slots to \(settings.slotSeconds) s",
                """
                UPDATE unstale.installation SET slot_seconds = \(settings.slotSeconds);
                ALTER TABLE unstale.outbox ALTER slot SET DEFAULT \(Schema.slotExpression(settings));
                """)
        }
    }

    /// Returns whether a trigger of a table was missing, did not fire, or recorded for another capture than `current`.
    private mutating func addTriggers(
        _ design: CaptureDesign, _ state: InstalledState, current: Int32?, wanted: inout Set<String>
    ) -> Bool {
        var gap = false
        for table in [design.shape.name] + design.shape.descendants {
            for event in design.events(on: table) {
                wanted.insert(Self.name(table, event.triggerName))
                let function = design.functionName(event)
                let existing = state.triggers.first { $0.table == table && $0.name == event.triggerName }
                let qualified = SQL.identifier(table.schema, table.name)
                if existing?.function != function {
                    gap = true
                    add(
                        "create trigger \(event.triggerName) on \(table)",
                        """
                        CREATE OR REPLACE TRIGGER \(event.triggerName) AFTER \(event.statement) ON \(qualified)
                            \(event.referencing) \(event.level) EXECUTE FUNCTION unstale.\(SQL.identifier(function))();
                        """)
                } else if current == nil || state.functions[function]?.capture != current {
                    gap = true
                }
                // One that was made just now, or made anew, fires as those do that nobody has altered.
                let present = existing?.function == function ? existing?.mode : nil
                let mode = design.mode(event)
                guard (present ?? .origin) != mode else { continue }
                if let present, !present.covers(mode) { gap = true }
                add(
                    "\(mode.clause.lowercased()) trigger \(event.triggerName) on \(table)",
                    "ALTER TABLE \(qualified) \(mode.clause) TRIGGER \(event.triggerName);")
            }
        }
        return gap
    }

    private mutating func add(_ summary: String, _ sql: String) {
        steps.append(Step(summary: summary, sql: sql))
    }
}
