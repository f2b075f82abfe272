import Postgres
import Rules

/// What is installed, as the catalog and the schema `unstale` tell it.
struct InstalledState: Sendable {
    struct Trigger: Sendable, Equatable {
        var table: TableName
        var name: String
        var function: String
        var mode: TriggerMode
        /// Another one after every ALTER or CREATE of it.
        var version: String
    }

    /// Nil where there is no schema `unstale`.
    var version: Int?
    var wake: Wake?
    var slotSeconds: Int64?
    var captures: [InstalledCapture] = []
    /// Source and settings by function name.
    var functions: [String: TriggerFunction] = [:]
    var triggers: [Trigger] = []

    /// The capture of a table; nil: it has none.
    func capture(of table: TableName) -> InstalledCapture? {
        captures.last { $0.manifest.table == table && !$0.isRetired }
    }

    /// Whether changes of a table are told by notifications.
    func isListened(_ table: TableName) -> Bool { capture(of: table)?.manifest.source == .notifications }

    /// Whether what logical replication writes to these tables is to be recorded too. Before there were triggers for
    /// rows, those for statements were made to fire for it.
    func recordsReplication(of tables: Set<TableName>) -> Bool {
        triggers.contains { trigger in
            guard tables.contains(trigger.table),
                let event = TriggerEvent.allCases.first(where: { $0.triggerName == trigger.name })
            else { return false }
            return event.isForEachRow || event == .truncate && trigger.mode == .always
        }
    }

    /// How long records are kept once every target has passed them.
    var replayWindow: Duration {
        .seconds((slotSeconds ?? CaptureSettings().slotSeconds) * Int64(CaptureSettings.slots - 2))
    }

    /// The command that makes the capture anew by what it was told when this one was made: what it isn't told goes back to
    /// the default.
    var installCommand: String {
        var words = ["unstale install"]
        if recordsReplication(of: Set(triggers.map(\.table))) { words.append("--always") }
        if let wake, wake != .notify { words.append("--wake \(wake.rawValue)") }
        if let slotSeconds, slotSeconds != CaptureSettings().slotSeconds {
            words.append("--replay-window \(replayWindow.components.seconds)s")
        }
        return words.joined(separator: " ")
    }

    /// How a worker is woken. Throws where there is no capture that this program can work with.
    var currentWake: Wake {
        get throws(PostgresError) {
            if version == Schema.version, let wake { return wake }
            throw PostgresError(
                code: .server(sqlState: "3F000"),
                message: version == nil
                    ? "there is no capture in this database: run 'unstale install' as the tables' owner first"
                    : "the schema unstale is of another version than this program: run 'unstale install'",
                doing: "reading the installed capture")
        }
    }

    static func read(_ connection: PostgresConnection) async throws(PostgresError) -> InstalledState {
        let doing = "reading the installed capture"
        var state = InstalledState()
        let exists = try await connection.query(
            "SELECT to_regclass('unstale.installation') IS NOT NULL", doing: doing)
        if exists.first?.bool(0) == true {
            let installation = try await connection.query(
                "SELECT version, wake, slot_seconds FROM unstale.installation", doing: doing)
            state.version = installation.first?.int(0)
            state.wake = installation.first?.text(1).flatMap(Wake.init)
            state.slotSeconds = installation.first?.int(2).map(Int64.init)
            state.captures = try await Self.captures(connection)
        }
        let functions = try await connection.query(
            """
            SELECT p.proname, p.prosrc, p.proconfig::text FROM pg_catalog.pg_proc p
            JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname = 'unstale' AND p.prorettype = 'pg_catalog.trigger'::regtype AND p.prosecdef
            """, doing: doing)
        for row in functions {
            guard let name = row.text(0), let source = row.text(1), let config = row.text(2) else { continue }
            let settings = TextSetting.allCases.filter { config.holds("\($0.rawValue)=") }.sorted()
            guard config.holds("search_path=\(TriggerFunction.searchPath)") else { continue }
            state.functions[name] = TriggerFunction(name: name, source: source, settings: settings)
        }
        let triggers = try await connection.query(
            """
            SELECT tn.nspname, c.relname, t.tgname, p.proname, t.tgenabled, t.oid || '.' || t.xmin
            FROM pg_catalog.pg_trigger t
            JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
            JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace AND pn.nspname = 'unstale'
            JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
            JOIN pg_catalog.pg_namespace tn ON tn.oid = c.relnamespace
            WHERE NOT t.tgisinternal ORDER BY 1, 2, 3
            """, doing: doing)
        state.triggers = triggers.map { row in
            Trigger(
                table: TableName(schema: row.text(0) ?? "", name: row.text(1) ?? ""), name: row.text(2) ?? "",
                function: row.text(3) ?? "", mode: row.text(4).flatMap(TriggerMode.init) ?? .disabled,
                version: row.text(5) ?? "")
        }
        return state
    }

    static func captures(_ connection: PostgresConnection) async throws(PostgresError) -> [InstalledCapture] {
        let rows = try await connection.query(
            "SELECT id, manifest, retired_at IS NOT NULL FROM unstale.captures ORDER BY id",
            doing: "reading the installed capture")
        return rows.compactMap { row in
            guard let id = row.int(0), let manifest = row.text(1).flatMap(ManifestCoding.decode) else {
                return nil
            }
            return InstalledCapture(id: Int32(id), manifest: manifest, isRetired: row.bool(2))
        }
    }
}
