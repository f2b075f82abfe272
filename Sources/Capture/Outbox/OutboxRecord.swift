import Postgres
import Rules

/// A row of the outbox, in binary form.
struct OutboxRecord {
    let xid: UInt64
    let id: Int64
    private let at: ServerTime
    private let capture: Int32
    private let op: UInt8
    private let rules: UInt64
    private let old: TextArray?
    private let new: TextArray?
    private let detail: String?

    init?(_ row: Row) {
        guard let xid = row.binaryInteger(0, as: UInt64.self), let id = row.binaryInteger(1, as: Int64.self),
            let at = row.binaryInteger(2, as: Int64.self), let capture = row.binaryInteger(3, as: Int32.self),
            let op = row.bytes(4)?.first, let rules = row.binaryInteger(5, as: UInt64.self)
        else { return nil }
        self.xid = xid
        self.id = id
        self.at = ServerTime(microseconds: at)
        self.capture = capture
        self.op = op
        self.rules = rules
        // Images share the buffer of all that was read.
        old = row.range(6).map { TextArray(row.buffer, at: $0.lowerBound) }
        new = row.range(7).map { TextArray(row.buffer, at: $0.lowerBound) }
        detail = row.text(8)
    }

    /// Adds the record's changes to a batch.
    func append(to batch: inout Batch) {
        batch.writtenAt.append(at)
        if op == UInt8(ascii: "a"), let detail {
            batch.failures.append(CaptureFailure(capture: capture, reason: detail))
        }
        if op != UInt8(ascii: "a"), let scope = detail.flatMap(Replay.Scope.init(detail:)) {
            appendChanges(to: &batch.replayed[scope, default: []])
        } else {
            appendChanges(to: &batch.changes)
        }
    }

    private func appendChanges(to changes: inout [Change]) {
        switch op {
        case UInt8(ascii: "i"): append(.insert, nil, new, to: &changes)
        case UInt8(ascii: "d"): append(.delete, old, nil, to: &changes)
        case UInt8(ascii: "u"): append(.update, old, new, to: &changes)
        default: changes.append(Change(capture: capture, kind: .anyRow, fired: .max))
        }
    }

    private func append(_ kind: Change.Kind, _ old: TextArray?, _ new: TextArray?, to changes: inout [Change]) {
        var (old, new) = (old, new)
        for _ in 0..<max(old?.height ?? 0, new?.height ?? 0) {
            changes.append(Change(capture: capture, kind: kind, fired: rules, old: old?.next(), new: new?.next()))
        }
    }
}
