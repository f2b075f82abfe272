import Capture
import Rules
import Synchronization

/// The planner and what it stands on, as the tasks of a session share them.
final class Planning: Sendable {
    private let rules: [Rule]
    private let current: Mutex<(planner: Planner, manifests: [Int32: Manifest])>

    init(rules: [Rule], manifests: [Int32: Manifest]) {
        self.rules = rules
        current = Mutex((Planner(rules: rules, manifests: manifests), manifests))
    }

    var planner: Planner { current.withLock { $0.planner } }

    /// What people call the table of a capture; nil: no rule is about it.
    func servedTable(ofCapture number: Int32) -> String? {
        guard let table = current.withLock({ $0.manifests[number] })?.table else { return nil }
        return rules.contains { $0.table.value == table } ? "\(table)" : nil
    }

    /// Whether a newer capture has taken the place of this one.
    func isSuperseded(capture number: Int32) -> Bool {
        current.withLock { current in
            let table = current.manifests[number]?.table
            return table != nil && current.manifests.contains { $0.key > number && $0.value.table == table }
        }
    }

    /// Captures were installed meanwhile.
    func reload(_ manifests: [Int32: Manifest]) {
        let planner = Planner(rules: rules, manifests: manifests)
        current.withLock { $0 = (planner, manifests) }
    }

    /// The newest capture of each of these tables that rules name, where there is one; nil: of all.
    func newestCaptures(of tables: Set<String>? = nil) -> [Int32] {
        let concerned = rules.filter { tables?.contains($0.table.value.description) ?? true }
        return Self.newestCaptures(concerned, current.withLock { $0.manifests })
    }

    /// The newest capture of each table that these rules name, where there is one.
    static func newestCaptures(_ rules: [Rule], _ manifests: [Int32: Manifest]) -> [Int32] {
        Set(rules.map(\.table.value)).compactMap(manifests.newest(of:))
    }

    /// What it takes to count every row of every table that rules name as changed.
    func anyRow() -> Plan {
        let manifests = Set(rules.map(\.table.value)).enumerated().map { number, table in
            (Int32(number), Manifest(table: table, columns: [], conditions: []))
        }
        let planner = Planner(rules: rules, manifests: Dictionary(manifests) { $1 })
        let changes = manifests.map { Change(capture: $0.0, kind: .anyRow, fired: .max) }
        return planner.plan(changes)
    }
}
