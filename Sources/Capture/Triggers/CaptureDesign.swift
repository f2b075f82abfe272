import Postgres
import Rules

/// What the rules need of one table: the manifest, the trigger functions, and which triggers call them.
struct CaptureDesign: Sendable {
    let shape: TableShape
    let manifest: Manifest
    private let settings: CaptureSettings
    private let conditions: ConditionCompiler

    /// The design of a capture that records this.
    init(shape: TableShape, manifest: Manifest, settings: CaptureSettings) {
        self.shape = shape
        self.manifest = manifest
        self.settings = settings
        let exactColumns = shape.columns.filter(\.hasExactEquality).map(\.name)
        conditions = ConditionCompiler(conditions: manifest.conditions, exactColumns: Set(exactColumns))
    }

    /// The design for the rules of one table; `rules` are all of them, in order.
    init(shape: TableShape, rules: [Rule], settings: CaptureSettings) {
        var manifest = Manifest(table: shape.name, rules: rules)
        if settings.listen.tell(of: shape.name) { manifest.source = .notifications }
        self.init(shape: shape, manifest: manifest, settings: settings)
    }

    /// What its triggers fire for: the operations whose changes are recorded, and TRUNCATE. Nothing, where somebody
    /// else's tell of them.
    var events: [TriggerEvent] {
        guard manifest.source == nil else { return [] }
        return TriggerEvent.allCases.filter { event in
            (settings.always || !event.isForEachRow) && event.operation.map(conditions.concerns) ?? true
        }
    }

    /// Those of the triggers on one of its tables. What is partitioned itself has no rows.
    func events(on table: TableName) -> [TriggerEvent] {
        shape.partitioned.contains(table) ? events.filter { !$0.isForEachRow } : events
    }

    /// In which sessions the trigger fires. What an ordinary one writes, the triggers of statements record; where it is
    /// replicated, those of rows do, and each change is recorded once.
    func mode(_ event: TriggerEvent) -> TriggerMode {
        if event.isForEachRow { return .replica }
        return event == .truncate && settings.always ? .always : .origin
    }

    /// The name of the function for an operation, or for TRUNCATE.
    func functionName(_ event: TriggerEvent) -> String { "capture_\(shape.oid)_\(event.rawValue)" }

    /// The functions that write records with the number `capture`.
    func functions(capture: Int32) -> [TriggerFunction] {
        events.map { event in
            let pins = event == .truncate ? [] : pinnedSettings
            return TriggerFunction(
                name: functionName(event), source: source(event, capture: capture), settings: pins)
        }
    }

    /// Whether the installed triggers read the columns as they are now: another type may be compared and written as text in
    /// another way, and another primary key pairs other rows. A function that reads a column that is gone fails, and so says
    /// that any row may have changed.
    func isRead(by state: InstalledState) -> Bool {
        let tables = Set([shape.name] + shape.descendants)
        return events.allSatisfy { event in
            guard let operation = event.operation else { return true }
            let columns = manifest.columns + (operation == .update ? manifest.conditions.flatMap(\.columns) : [])
            guard columns.allSatisfy({ shape.column($0) != nil }) else { return true }
            let triggers = state.triggers.filter { $0.name == event.triggerName && tables.contains($0.table) }
            let writer = writer(capture: 0)
            let texts = ["SELECT \(conditions.mask(operation)),"] + operation.images.map { writer.image($0.rawValue) }
            return Set(triggers.map(\.function)).compactMap { state.functions[$0] }.allSatisfy { function in
                Set(pinnedSettings).isSubset(of: function.settings) && texts.allSatisfy(function.source.holds)
                    && writer.pairsRows(as: function.source)
                    && (event != .update || writer.judgesMany(as: function.source))
            }
        }
    }

    private func writer(capture: Int32) -> RecordWriter {
        RecordWriter(
            capture: capture, shape: shape, columns: manifest.columns, conditions: conditions,
            rowLimit: settings.rowLimit, ring: settings.wake == .notify)
    }

    private func source(_ event: TriggerEvent, capture: Int32) -> String {
        let writer = writer(capture: capture)
        guard let operation = event.operation else { return writer.truncateSource }
        if event.isForEachRow { return writer.rowSource(operation) }
        return operation == .update ? writer.updateSource : writer.oneSidedSource(operation)
    }

    private var pinnedSettings: [TextSetting] {
        let names = shape.columns.map(\.name)
        let looked = manifest.conditions.compactMap(\.predicate).flatMap { SQLPredicate.columns(among: names, in: $0) }
        let read = Set(manifest.columns + looked)
        return shape.columns.filter { read.contains($0.name) }.reduce(into: Set()) { $0.formUnion($1.settings) }
            .sorted()
    }
}
