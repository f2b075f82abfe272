import Delivery
import FoundationEssentials
public import Rules

/// What an operator is told, and may order.
extension Worker {
    /// How it stands.
    public var status: WorkerStatus {
        let (state, reason) = board.current
        var degraded: [WorkerStatus.Fault] = []
        // What is wrong with a table concerns every target that has rules about it.
        for fault in targets.flatMap(\.board.degraded) where !degraded.contains(fault) { degraded.append(fault) }
        return WorkerStatus(
            worker: Self.name, startedAt: board.startedAt, state: state, reason: reason, rules: board.rules,
            degraded: degraded, targets: targets.map(\.report))
    }

    /// Serves these rules from now on: what is under way is finished, and the window of records is replayed by the
    /// new ones where they ask for something else.
    public func reload(_ rules: [Rule]) {
        board.set(rules: rules.count)
        for target in targets { target.replace(with: rules) }
    }

    /// Newer rules were refused, for these reasons, a line each; the old ones go on.
    public func refuse(_ reasons: [String]) { board.set(refused: reasons) }

    /// Leaves a target alone, or no longer; nil: all of them. Only the worker that leads takes that order, and those
    /// that lead after it keep to it; false: this one doesn't lead.
    public func hold(_ isHeld: Bool, target name: String? = nil) -> Bool {
        guard board.current.state == .leading else { return false }
        for target in targets where name == nil || target.name == name {
            target.board.set(order: isHeld)
            target.target.hold(isHeld)
            target.logger.notice(isHeld ? "Paused by an operator" : "Resumed by an operator")
        }
        return true
    }

    /// The table that a rule is about; nil: there is no such rule.
    public func table(ofRule name: String) -> TableName? {
        targets.flatMap(\.rules.current.rules).first { $0.name.value == name }?.table.value
    }

    /// The tables that the rules of a target are about, each once; nil: those of all rules.
    public func tables(ofTarget name: String? = nil) -> [TableName] {
        let served = targets.filter { name == nil || $0.name == name }
        return Set(served.flatMap { $0.rules.current.rules.map(\.table.value) })
            .sorted { $0.description < $1.description }
    }

    /// Host and process.
    static let name = "\(ProcessInfo.processInfo.hostName) \(ProcessInfo.processInfo.processIdentifier)"
}
