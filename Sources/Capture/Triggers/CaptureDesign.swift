import Postgres
import Rules

/// What the rules need of one table: the manifest, the trigger functions, and which triggers call them.
struct CaptureDesign: Sendable {
    let shape: TableShape
    let manifest: Manifest
    private let settings: CaptureSettings
    private let conditions: ConditionCompiler
    /// Words of all `where`s, to see which columns they may look at; nil: any.
    private let predicateWords: Set<String>?

    /// The design for the rules of one table; `rules` are all of them, in order.
    init(shape: TableShape, rules: [Rule], settings: CaptureSettings) {
        self.shape = shape
        self.settings = settings
        var manifest = Manifest(table: shape.name, rules: rules)
        if settings.listen.tell(of: shape.name) { manifest.source = .notifications }
        self.manifest = manifest
        let exactColumns = shape.columns.filter(\.hasExactEquality).map(\.name)
        conditions = ConditionCompiler(conditions: manifest.conditions, exactColumns: Set(exactColumns))
        let predicates = rules.compactMap(\.predicate)
        predicateWords =
            predicates.contains(where: \.mentionsWholeRow)
            ? nil : predicates.reduce(into: []) { $0.formUnion($1.words) }
    }

    /// What its triggers fire for: the operations whose changes are recorded, and TRUNCATE. Nothing, where somebody
    /// else's tell of them.
    var events: [TriggerEvent] {
        guard manifest.source == nil else { return [] }
        return TriggerEvent.allCases.filter { $0.operation.map(conditions.concerns) ?? true }
    }

    /// The name of the function for an operation, or for TRUNCATE.
    func functionName(_ event: TriggerEvent) -> String { "capture_\(shape.oid)_\(event.rawValue)" }

    /// The functions that write records with the number `capture`.
    func functions(capture: Int32) -> [TriggerFunction] {
        events.compactMap { event in
            guard let source = source(event, capture: capture) else { return nil }
            let pins = event == .truncate ? [] : pinnedSettings
            return TriggerFunction(name: functionName(event), source: source, settings: pins)
        }
    }

    private func source(_ event: TriggerEvent, capture: Int32) -> String? {
        let writer = RecordWriter(
            capture: capture, shape: shape, columns: manifest.columns, conditions: conditions,
            rowLimit: settings.rowLimit, ring: settings.wake == .notify)
        switch event.operation {
        case nil: return writer.truncateSource
        case .update? where conditions.concerns(.update): return writer.updateSource
        case let operation? where conditions.concerns(operation): return writer.oneSidedSource(operation)
        default: return nil
        }
    }

    private var pinnedSettings: [TextSetting] {
        let relevant = shape.columns.filter { column in
            manifest.columns.contains(column.name)
                || (predicateWords?.contains { $0 == column.name.lowercased() || $0 == column.name } ?? true)
        }
        return relevant.reduce(into: Set()) { $0.formUnion($1.settings) }.sorted()
    }
}

/// What a trigger fires for.
enum TriggerEvent: String, CaseIterable, Sendable {
    case insert, update, delete, truncate

    /// The row operation, if it is one.
    var operation: Operation? { Operation(rawValue: rawValue) }

    /// The trigger's name on every captured table.
    var triggerName: String { "unstale_\(rawValue)" }

    /// The transition tables that the function reads.
    var referencing: String {
        switch self {
        case .insert: " REFERENCING NEW TABLE AS new_rows"
        case .update: " REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"
        case .delete: " REFERENCING OLD TABLE AS old_rows"
        case .truncate: ""
        }
    }
}
